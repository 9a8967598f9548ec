-- What the marts should hold of the Odoo shop, reckoned from its tables in another way than its SELECTs do: the
-- zone by the hour at which Berlin sets its clocks, amounts from subtotal and tax, the row rules as plain conditions.
create schema expected;
-- No product is ever lost here.
create table expected.lost_products (product_id text, product_name text, category text, unit_cost numeric);
create view expected.customers as
select
    p.id::text as customer_id,
    p.name as customer_name,
    (array['consumer', 'company'])[1 + coalesce(p.is_company, false)::int] as customer_segment,
    (select c.code from res_country as c where c.id = p.country_id) as region
from res_partner as p;
create view expected.products as
select
    v.id::text as product_id,
    coalesce(t.name ->> 'de_DE', t.name ->> 'en_US')
    || case when v.default_code is null then '' else format(' [%s]', v.default_code) end as product_name,
    (select c.complete_name from product_category as c where c.id = t.categ_id) as category,
    (
        select p.value_float::numeric(12, 2) from ir_property as p
        where split_part(p.res_id, ',', 2)::int = v.id and p.name = 'standard_price'
    ) as unit_cost
from product_product as v, product_template as t
where t.id = v.product_tmpl_id;
create view expected.orders as
with local_time as (
    select
        o.*,
        (o.date_order + case when o.date_order < '2024-03-31 01:00' then interval '1 hour' else '2 hours' end)::date
            as day
    from sale_order as o
    where o.state = 'sale' or o.state = 'cancel'
),
sold as (
    select
        o.id as basket,
        l.id::text as order_id,
        o.name as order_number,
        o.partner_id::text as customer_id,
        l.product_id::text as product_id,
        o.day as order_date,
        ((l.price_subtotal + l.price_tax::numeric) / o.currency_rate)::numeric(14, 2) as amount,
        l.product_uom_qty as quantity,
        case sign(coalesce(l.qty_delivered, 0)) + sign(coalesce(l.qty_delivered, 0) - l.product_uom_qty)
            when -1 then 'processing' when 0 then 'shipped' else 'delivered'
        end as progress,
        o.state
    from local_time as o
    inner join sale_order_line as l on l.order_id = o.id
    where l.product_id is not null
)
select
    basket, order_id, order_number, customer_id, product_id, order_date, amount, quantity::int as quantity,
    case when state = 'cancel' then 'cancelled' else progress end as status
from sold
where
    amount > 0 and amount <= 1000000 and quantity in (select * from generate_series(1, 100))
    -- Dates that were typed lie a month ahead of the day they were written on.
    and order_date < '2024-04-20';
