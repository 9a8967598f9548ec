{{
    config(
        materialized='incremental',
        unique_key='order_date',
        on_schema_change='fail'
    )
}}

with

orders as (

    select * from {{ ref('fct_orders') }}

),

changed_dates as (

    {{ changed_groups(ref('fct_orders'), 'order_date', 'total_order_rows') }}

),

changed_orders as (

    select * from orders

    where order_date in (select changed_dates.order_date from changed_dates)

),

counted as (

    select
        order_date,
        count(distinct order_number) as total_orders,
        count(distinct customer_id) as unique_customers

    from changed_orders

    group by order_date

),

final as (

    select
        changed_dates.order_date,
        coalesce(counted.total_orders, 0) as total_orders,
        coalesce(counted.unique_customers, 0) as unique_customers,
        changed_dates.total_order_rows,
        changed_dates.load_id

    from changed_dates

    left join counted on changed_dates.order_date = counted.order_date

)

select * from final
