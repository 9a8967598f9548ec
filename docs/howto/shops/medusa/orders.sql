-- Medusa 2: one row per line of an order's present version. Keys are texts, so a contract with these types lies
-- beside this file. "order" is a reserved word: quote it.
select
    l.id as order_id,
    -- The lines of a basket share the number that the customer reads.
    o.display_id::text as order_number,
    -- Guests and imported orders may have no customer: the hash of the e-mail address keeps their orders together.
    coalesce(
        o.customer_id, 'guest-' || md5(lower(nullif(trim(o.email), ''))), 'guest'
    ) as customer_id,
    -- Custom lines name no variant.
    coalesce(l.variant_id, 'custom') as product_id,
    -- Moments have a zone in Medusa; the day is the shop's: write the zone of SHOP_TIMEZONE.
    (o.created_at at time zone 'Europe/Berlin')::date as order_date,
    -- With tax, after discounts: Medusa stores no total of a line, it computes it from unit price, adjustments
    -- (before tax) and tax rates; an order edit may have given the line another price.
    round(
        greatest(line.net - coalesce(a.amount, 0), 0) * line.taxed
        + least(line.net - coalesce(a.amount, 0), 0),
        2
    ) as amount,
    -- A numeric in Medusa, left as it is: half a piece is quarantined, never rounded.
    i.quantity,
    case
        when o.canceled_at is not null or o.status = 'canceled' then 'cancelled'
        when i.delivered_quantity >= i.quantity then 'delivered'
        when i.shipped_quantity > 0 then 'shipped'
        when i.fulfilled_quantity > 0 then 'processing'
        else 'pending'
    end as status,
    -- A price lies in five tables; a change of each, or a removed discount, moves the line's cursor. Medusa has no
    -- index on updated_at: each day reads these tables once.
    greatest(o.updated_at, i.updated_at, l.updated_at, a.updated_at, t.updated_at) as updated_at
from "order" as o
-- Each edit of an order writes its lines again under a new version; a removed line is not among them.
join order_item as i on i.order_id = o.id and i.version = o.version
join order_line_item as l on l.id = i.item_id
left join (
    select
        item_id,
        sum(amount) filter (where deleted_at is null) as amount,
        max(greatest(updated_at, deleted_at)) as updated_at
    from order_line_item_adjustment
    group by item_id
) as a on a.item_id = l.id
left join (
    select
        item_id,
        sum(rate) filter (where deleted_at is null) as rate,
        max(greatest(updated_at, deleted_at)) as updated_at
    from order_line_item_tax_line
    group by item_id
) as t on t.item_id = l.id
cross join lateral (
    select
        1 + coalesce(t.rate, 0) / 100 as taxed,
        coalesce(i.unit_price, l.unit_price) * i.quantity
        / case when l.is_tax_inclusive then 1 + coalesce(t.rate, 0) / 100 else 1 end as net
) as line
where
    -- Soft deletes: the row leaves this SELECT, and is deleted in the marts as well (deletes: follow).
    o.deleted_at is null
    and i.deleted_at is null
    and l.deleted_at is null
    -- Drafts of the staff are no orders yet.
    and o.status <> 'draft'
    -- Amounts of several currencies cannot be summed: write yours.
    and o.currency_code = 'eur'
