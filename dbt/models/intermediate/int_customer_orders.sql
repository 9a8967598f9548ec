with

orders as (

    select * from {{ ref('stg_orders') }}

),

summarised as (

    select
        customer_id,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        count(distinct order_number) as total_orders,
        sum(order_amount) as lifetime_amount

    from orders

    group by customer_id

)

select * from summarised
