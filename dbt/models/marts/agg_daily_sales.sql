with

orders as (

    select * from {{ ref('fct_orders') }}

),

summed as (

    select
        order_date,
        category,
        region,
        customer_segment,
        count(distinct order_number) as total_orders,
        count(distinct customer_id) as unique_customers,
        sum(quantity) as total_quantity,
        sum(order_amount) as total_revenue,
        sum(case when cost_amount is not null then order_amount else 0 end) as known_cost_revenue,
        sum(profit_amount) as total_profit

    from orders

    group by order_date, category, region, customer_segment

),

final as (

    select
        order_date,
        category,
        region,
        customer_segment,
        total_orders,
        unique_customers,
        total_quantity,
        total_revenue,
        {{ ratio('total_revenue', 'total_orders') }} as avg_order_value,
        known_cost_revenue,
        total_profit,
        {{ ratio('100 * total_profit', 'known_cost_revenue') }} as profit_margin_pct

    from summed

)

select * from final
