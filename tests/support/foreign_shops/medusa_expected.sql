-- What the marts should hold of the Medusa shop, reckoned from its tables in another way than its SELECTs do: one
-- subquery for each number, amounts by the two kinds of price, and the digits from the raw_ columns.
create schema expected;
-- No product is ever lost here.
create table expected.lost_products (product_id text, product_name text, category text, unit_cost numeric);
create view expected.customers as
select
    c.id as customer_id,
    case
        when c.first_name is null then c.last_name
        when c.last_name is null then c.first_name
        else format('%s %s', c.first_name, c.last_name)
    end as customer_name,
    case
        when exists (select 1 from customer_group_customer as m where m.customer_id = c.id) then 'VIP'
        when c.has_account then 'registered'
        else 'guest'
    end as customer_segment,
    (
        select upper((array_agg(a.country_code order by a.is_default_shipping desc))[1])
        from customer_address as a where a.customer_id = c.id
    ) as region
from customer as c;
create view expected.products as
select
    v.id as product_id,
    case when v.title = 'Default variant' then p.title else concat(p.title, ' ', v.title) end as product_name,
    (select t.value from product_type as t where t.id = p.type_id) as category,
    -- Nobody typed more than two decimals; a comma is no number.
    case when v.metadata ->> 'unit_cost' not like '%,%' then (v.metadata ->> 'unit_cost')::numeric end as unit_cost
from product as p
inner join product_variant as v on v.product_id = p.id;
create view expected.orders as
with lines as (
    select
        l.id,
        l.is_tax_inclusive,
        o.display_id,
        case
            when o.customer_id is not null then o.customer_id
            when o.email is null then 'guest'
            else concat('guest-', md5(lower(o.email)))
        end as customer_id,
        case when l.is_custom_price then 'custom' else l.variant_id end as product_id,
        (
            o.created_at at time zone 'UTC'
            + case when o.created_at < '2024-03-31 01:00+00' then interval '1 hour' else '2 hours' end
        )::date as day,
        coalesce(i.unit_price, (l.raw_unit_price ->> 'value')::numeric) as price,
        (i.raw_quantity ->> 'value')::numeric as pieces,
        (
            select coalesce(sum(a.amount), 0) from order_line_item_adjustment as a
            where a.item_id = l.id and a.deleted_at is null
        ) as discount,
        (
            select coalesce(sum((t.raw_rate ->> 'value')::numeric), 0) from order_line_item_tax_line as t
            where t.item_id = l.id
        ) as percent,
        case
            when o.status = 'canceled' then 'cancelled'
            when i.delivered_quantity = i.quantity then 'delivered'
            when i.shipped_quantity = i.quantity then 'shipped'
            when i.fulfilled_quantity = i.quantity then 'processing'
            else 'pending'
        end as status
    from order_line_item as l
    inner join order_item as i on i.item_id = l.id
    inner join "order" as o on o.id = i.order_id
    where
        (i.order_id, i.version) in (select p.id, p.version from "order" as p)
        and coalesce(o.deleted_at, l.deleted_at, i.deleted_at) is null
        and not o.is_draft_order
        and o.currency_code = 'eur'
),
priced as (
    select
        *,
        case
            when is_tax_inclusive then price * pieces - discount * (100 + percent) / 100
            else (price * pieces - discount) * (100 + percent) / 100
        end::numeric(14, 2) as amount
    from lines
)
select
    display_id as basket, id as order_id, display_id::text as order_number, customer_id, product_id,
    day as order_date, amount, pieces::int as quantity, status
from priced
where amount between 0.01 and 1000000 and pieces = pieces::int;
