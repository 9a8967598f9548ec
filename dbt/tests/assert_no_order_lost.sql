with

staged as (

    select count(*) as total_orders from {{ ref('stg_orders') }}

),

marts as (

    select count(*) as total_orders from {{ ref('fct_orders') }}

),

differences as (

    select
        staged.total_orders as staged_orders,
        marts.total_orders as mart_orders

    from staged

    cross join marts

    where staged.total_orders <> marts.total_orders

)

select * from differences
