with

orders as (

    select * from {{ ref('stg_orders') }}

),

summarised as (

    select
        product_id,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        count(distinct order_number) as total_orders,
        sum(quantity) as total_quantity,
        sum(order_amount) as total_revenue

    from orders

    group by product_id

)

select * from summarised
