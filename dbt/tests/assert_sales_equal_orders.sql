with

silver_orders as (

    select * from {{ source('silver', 'orders') }}

),

mart_orders as (

    select * from {{ ref('fct_orders') }}

),

daily_sales as (

    select * from {{ ref('agg_daily_sales') }}

),

amounts as (

    select
        order_date,
        amount as silver_amount,
        0 as mart_amount,
        0 as sales_amount

    from silver_orders

    union all

    select
        order_date,
        0 as silver_amount,
        order_amount as mart_amount,
        0 as sales_amount

    from mart_orders

    union all

    select
        order_date,
        0 as silver_amount,
        0 as mart_amount,
        total_revenue as sales_amount

    from daily_sales

),

totals as (

    select
        order_date,
        sum(silver_amount) as silver_amount,
        sum(mart_amount) as mart_amount,
        sum(sales_amount) as sales_amount

    from amounts

    group by order_date

),

differences as (

    select * from totals

    where silver_amount <> mart_amount or mart_amount <> sales_amount

)

select * from differences
