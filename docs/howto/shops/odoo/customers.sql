-- Odoo 17: one row per partner. All of them, not only those who have ordered: a first order does not change the
-- partner's write_date, and each run would warn of rows that no window could see.
select
    p.id as customer_id,
    -- Only contacts must have a name; addresses need none.
    p.name as customer_name,
    case when p.is_company then 'company' else 'consumer' end as customer_segment,
    c.code as region,
    -- UTC without a zone. The country's code is part of the row, its changes are too rare to look for.
    coalesce(p.write_date, p.create_date) at time zone 'UTC' as updated_at
from res_partner as p
left join res_country as c on c.id = p.country_id
