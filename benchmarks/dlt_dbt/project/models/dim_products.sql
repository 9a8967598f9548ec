select
    products.product_id,
    products.product_name,
    products.category,
    products.unit_cost,
    count(orders.order_id) as total_orders,
    coalesce(sum(orders.quantity), 0) as total_quantity,
    coalesce(sum(orders.order_amount), 0) as total_revenue

from raw.products as products

left join {{ ref('fct_orders') }} as orders on products.product_id = orders.product_id

group by all
