-- Odoo 17: one row per variant (product_product), which is what order lines name.
-- Name and category are the template's, the cost is a property: a change of each moves the cursor.
select
    v.id as product_id,
    -- A translated name is jsonb by language: choose yours; en_US is always there.
    coalesce(t.name ->> 'de_DE', t.name ->> 'en_US') || coalesce(' [' || nullif(v.default_code, '') || ']', '')
        as product_name,
    c.complete_name as category,
    -- A double precision in ir_property, one per company: write the id of yours. Odoo rounds it for display as well.
    -- It keeps no row for a cost of 0: such a product's cost is unknown here, and one set to 0 arrives with the next
    -- change of the product.
    round(cost.value_float::numeric, 2) as unit_cost,
    greatest(
        coalesce(v.write_date, v.create_date),
        coalesce(t.write_date, t.create_date),
        coalesce(c.write_date, c.create_date),
        coalesce(cost.write_date, cost.create_date)
    ) at time zone 'UTC' as updated_at
from product_product as v
join product_template as t on t.id = v.product_tmpl_id
join product_category as c on c.id = t.categ_id
left join ir_property as cost
    on
        cost.name = 'standard_price'
        and cost.company_id = 1
        and cost.res_id = 'product.product,' || v.id
