with

orders as (

    select * from {{ ref('stg_orders') }}

),

customers as (

    select * from {{ ref('stg_customers') }}

),

products as (

    select * from {{ ref('stg_products') }}

),

-- Left joins: an order whose customer or product has not arrived yet is still revenue.
described as (

    select
        orders.order_id,
        orders.order_date,
        orders.customer_id,
        coalesce(customers.customer_name, 'unknown') as customer_name,
        coalesce(customers.customer_segment, 'unknown') as customer_segment,
        coalesce(customers.region, 'unknown') as region,
        orders.product_id,
        coalesce(products.product_name, 'unknown') as product_name,
        coalesce(products.category, 'unknown') as category,
        orders.quantity,
        orders.order_amount,
        products.unit_cost * orders.quantity as cost_amount,
        orders.status,
        orders.order_number,
        customers.customer_id is null as is_unknown_customer,
        products.product_id is null as is_unknown_product,
        orders.updated_at,
        orders.deleted_at,
        greatest(
            orders.load_id,
            coalesce(customers.load_id, 0),
            coalesce(products.load_id, 0)
        ) as load_id

    from orders

    left join customers on orders.customer_id = customers.customer_id

    left join products on orders.product_id = products.product_id

),

priced as (

    select
        *,
        order_amount - cost_amount as profit_amount

    from described

)

select * from priced
