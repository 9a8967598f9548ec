{{
    config(
        materialized='incremental',
        unique_key='customer_id',
        on_schema_change='fail'
    )
}}

with

orders as (

    select * from {{ ref('stg_orders') }}

),

changed_customers as (

    {{ changed_groups(ref('stg_orders'), 'customer_id', 'total_order_rows') }}

),

changed_orders as (

    select * from orders

    where customer_id in (select changed_customers.customer_id from changed_customers)

),

summarised as (

    select
        customer_id,
        min(order_date) as first_order_date,
        max(order_date) as last_order_date,
        count(distinct order_number) as total_orders,
        sum(order_amount) as lifetime_amount

    from changed_orders

    group by customer_id

),

final as (

    select
        changed_customers.customer_id,
        summarised.first_order_date,
        summarised.last_order_date,
        coalesce(summarised.total_orders, 0) as total_orders,
        coalesce(summarised.lifetime_amount, 0) as lifetime_amount,
        changed_customers.total_order_rows,
        changed_customers.load_id

    from changed_customers

    left join summarised on changed_customers.customer_id = summarised.customer_id

)

select * from final
