select
    orders.order_id,
    orders.order_date,
    orders.customer_id,
    customers.customer_name,
    customers.customer_segment,
    customers.region,
    orders.product_id,
    products.product_name,
    products.category,
    orders.quantity,
    orders.amount as order_amount,
    orders.quantity * products.unit_cost as cost_amount,
    orders.amount - orders.quantity * products.unit_cost as profit_amount,
    orders.status,
    orders.updated_at

from raw.orders as orders

left join raw.customers as customers on orders.customer_id = customers.customer_id

left join raw.products as products on orders.product_id = products.product_id

where
    orders.amount > 0
    and orders.amount <= 1000000
    and orders.quantity between 1 and 100
    and orders.order_date <= date '{{ var("day") }}'
    and orders.status in ('pending', 'processing', 'shipped', 'delivered', 'cancelled')
