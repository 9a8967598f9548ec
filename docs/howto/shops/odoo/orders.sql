-- Odoo 17, module sale: one row per order line that sells something.
-- Odoo writes the order's own changes (state, date, currency) to sale_order and those of a line to its line, so the
-- later of both write_dates is the line's cursor. No index covers it: each day reads both tables once.
select
    l.id as order_id,
    -- The lines of a basket share the order's name (S00042).
    o.name as order_number,
    o.partner_id as customer_id,
    l.product_id,
    -- Odoo keeps UTC in timestamps without a zone. The second zone is the shop's: write that of SHOP_TIMEZONE.
    (o.date_order at time zone 'UTC' at time zone 'Europe/Berlin')::date as order_date,
    -- With tax, after discounts (price_subtotal is without tax), in the company's currency, as Odoo's reports reckon it.
    round(l.price_total / coalesce(nullif(o.currency_rate, 0), 1), 2) as amount,
    -- A numeric in Odoo, left as it is: 1.5 kg are no number of pieces, so such a line is quarantined, never rounded.
    l.product_uom_qty as quantity,
    case
        when o.state = 'cancel' then 'cancelled'
        when o.state = 'sale' and coalesce(l.qty_delivered, 0) >= l.product_uom_qty then 'delivered'
        when o.state = 'sale' and l.qty_delivered > 0 then 'shipped'
        when o.state = 'sale' then 'processing'
        -- A state that an add-on brought is quarantined by its name.
        else o.state
    end as status,
    greatest(
        coalesce(l.write_date, l.create_date), coalesce(o.write_date, o.create_date)
    ) at time zone 'UTC' as updated_at
from sale_order_line as l
join sale_order as o on o.id = l.order_id
where
    -- Sections and notes are lines as well, without a product.
    l.display_type is null
    -- An invoice's down payment is a line of its own; its money is in the other lines already.
    and not coalesce(l.is_downpayment, false)
    -- Quotations are no orders. An order that becomes one again leaves these rows and counts as deleted.
    and o.state not in ('draft', 'sent')
