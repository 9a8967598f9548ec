-- Saleor 3: one row per account, by its uuid. Guests have none: they are known from their orders alone.
select
    u.uuid::text as customer_id,
    -- Empty is not null in Saleor; the address of the account is no name.
    nullif(trim(u.first_name || ' ' || u.last_name), '') as customer_name,
    -- Saleor has no segments: shops keep theirs in the account's metadata.
    coalesce(nullif(u.metadata ->> 'segment', ''), case when u.is_staff then 'staff' else 'customer' end)
        as customer_segment,
    nullif(coalesce(s.country, b.country), '') as region,
    -- Indexed. An address has no time of its own: Saleor saves the account when it changes one.
    u.updated_at
from account_user as u
left join account_address as s on s.id = u.default_shipping_address_id
left join account_address as b on b.id = u.default_billing_address_id
