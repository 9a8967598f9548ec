with

orders as (

    select * from {{ ref('fct_orders') }}

),

not_positive as (

    select
        order_id,
        order_amount,
        quantity

    from orders

    where not (order_amount > 0 and quantity > 0)

)

select * from not_positive
