-- Medusa 2: one row per variant, which is what order lines name. Soft-deleted ones stay, for old orders' sake
-- (deletes: keep).
select
    v.id as product_id,
    p.title || case when v.title in ('', p.title, 'Default variant') then '' else ' ' || v.title end as product_name,
    -- A product may be in many categories, and joining one leaves no time; it has one type, and that does.
    t.value as category,
    -- Medusa knows no cost: shops keep theirs in the variant's metadata. What is no number becomes null, so that
    -- one typing error does not stop the whole query.
    case when v.metadata ->> 'unit_cost' ~ '^\d{1,10}(\.\d{1,2})?$' then (v.metadata ->> 'unit_cost')::numeric(12, 2) end
        as unit_cost,
    greatest(v.updated_at, p.updated_at, t.updated_at) as updated_at
from product_variant as v
left join product as p on p.id = v.product_id
left join product_type as t on t.id = p.type_id
