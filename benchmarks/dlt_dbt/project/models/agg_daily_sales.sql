select
    order_date,
    category,
    region,
    customer_segment,
    count(*) as total_orders,
    count(distinct customer_id) as unique_customers,
    sum(quantity) as total_quantity,
    sum(order_amount) as total_revenue,
    sum(profit_amount) as total_profit

from {{ ref('fct_orders') }}

group by all
