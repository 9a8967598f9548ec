select
    customers.customer_id,
    customers.customer_name,
    customers.customer_segment,
    customers.region,
    min(orders.order_date) as first_order_date,
    max(orders.order_date) as last_order_date,
    count(orders.order_id) as total_orders,
    coalesce(sum(orders.order_amount), 0) as lifetime_amount

from raw.customers as customers

left join {{ ref('fct_orders') }} as orders on customers.customer_id = orders.customer_id

group by all
