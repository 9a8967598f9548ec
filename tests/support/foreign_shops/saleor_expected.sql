-- What the marts should hold of the Saleor shop, reckoned from its tables in another way than its SELECTs do. Only
-- the products that the shop has deleted are kept beside it, since it has no memory of them and the marts do.
create schema expected;
create table expected.lost_products (product_id text, product_name text, category text, unit_cost numeric);
create view expected.customers as
select
    u.uuid::text as customer_id,
    case
        when u.first_name = '' and u.last_name = '' then null
        when u.first_name = '' then u.last_name
        when u.last_name = '' then u.first_name
        else format('%s %s', u.first_name, u.last_name)
    end as customer_name,
    case
        when length(u.metadata ->> 'segment') > 0 then u.metadata ->> 'segment'
        when u.is_staff then 'staff'
        else 'customer'
    end as customer_segment,
    (
        select a.country from account_address as a
        where a.id in (u.default_shipping_address_id, u.default_billing_address_id)
        order by (a.id = u.default_shipping_address_id) desc nulls last
        limit 1
    ) as region
from account_user as u;
create view expected.products as
select
    encode(format('ProductVariant:%s', v.id)::bytea, 'base64') as product_id,
    case when v.name = '' or v.name = p.name then p.name else concat(p.name, ' ', v.name) end as product_name,
    (select c.name from product_category as c where c.id = p.category_id) as category,
    (
        select min(l.cost_price_amount) from product_productvariantchannellisting as l
        where l.variant_id = v.id and l.currency = 'EUR'
    )::numeric as unit_cost
from product_productvariant as v, product_product as p
where p.id = v.product_id
union all
select * from expected.lost_products;
create view expected.orders as
with baskets as (
    select
        o.*,
        (
            o.created_at at time zone 'UTC'
            + case when o.created_at < '2024-03-31 01:00+00' then interval '1 hour' else '2 hours' end
        )::date as day,
        case
            when exists (select 1 from account_user as u where u.id = o.user_id)
                then (select u.uuid::text from account_user as u where u.id = o.user_id)
            when btrim(o.user_email) = '' then 'guest'
            else concat('guest-', md5(lower(btrim(o.user_email))))
        end as customer_id
    from order_order as o
)
select
    o.number as basket,
    l.id::text as order_id,
    o.number::text as order_number,
    o.customer_id,
    case when l.product_variant_id is null then 'unknown' else l.product_variant_id end as product_id,
    o.day as order_date,
    l.unit_price_gross_amount * l.quantity as amount,
    l.quantity,
    s.ours as status
from baskets as o
inner join order_orderline as l on l.order_id = o.id
inner join (
    values
    ('unconfirmed', 'pending'), ('unfulfilled', 'processing'), ('partially fulfilled', 'shipped'),
    ('fulfilled', 'delivered'), ('returned', 'delivered'), ('canceled', 'cancelled'), ('expired', 'cancelled')
) as s (theirs, ours) on s.theirs = o.status
where
    o.channel_id = (select c.id from channel_channel as c where c.currency_code = 'EUR')
    and l.total_price_gross_amount <> 0;
