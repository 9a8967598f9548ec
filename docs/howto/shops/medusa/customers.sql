-- Medusa 2: one row per customer; a guest who checks out is one as well, with has_account false.
-- Soft-deleted customers stay: their orders do (deletes: keep).
select
    c.id as customer_id,
    nullif(trim(concat_ws(' ', c.first_name, c.last_name)), '') as customer_name,
    -- Groups are many to one customer: the first by name.
    coalesce(g.name, case when c.has_account then 'registered' else 'guest' end) as customer_segment,
    upper(a.country_code) as region,
    -- Addresses and groups have times of their own; one that is taken away leaves no trace.
    greatest(c.updated_at, a.updated_at, g.updated_at) as updated_at
from customer as c
left join lateral (
    select a.country_code, a.updated_at
    from customer_address as a
    where a.customer_id = c.id
    order by a.is_default_shipping desc, a.is_default_billing desc, a.id
    limit 1
) as a on true
left join lateral (
    select g.name, greatest(m.updated_at, g.updated_at) as updated_at
    from customer_group_customer as m
    join customer_group as g on g.id = m.customer_group_id
    where m.customer_id = c.id and g.deleted_at is null
    order by g.name, g.id
    limit 1
) as g on true
