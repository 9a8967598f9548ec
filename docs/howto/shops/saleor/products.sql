-- Saleor 3: one row per variant, which is what order lines name, by the id that Saleor's API has for it.
-- Variants that are deleted stay in silver and in the marts: the contract of products says deletes: keep.
select
    encode(convert_to('ProductVariant:' || v.id, 'UTF8'), 'base64') as product_id,
    p.name || case when v.name in ('', p.name) then '' else ' ' || v.name end as product_name,
    c.name as category,
    -- One channel's cost: write its slug. A listing has no time of its own, so a new cost arrives with the next
    -- change of variant, product or category; or at once, if the contract compares whole rows (changes: snapshot).
    l.cost_price_amount as unit_cost,
    greatest(v.updated_at, p.updated_at, c.updated_at) as updated_at
from product_productvariant as v
join product_product as p on p.id = v.product_id
left join product_category as c on c.id = p.category_id
left join channel_channel as ch on ch.slug = 'default-channel'
left join product_productvariantchannellisting as l on l.variant_id = v.id and l.channel_id = ch.id
