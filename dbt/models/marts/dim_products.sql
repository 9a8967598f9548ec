with

products as (

    select * from {{ ref('stg_products') }}

),

product_orders as (

    select * from {{ ref('int_product_orders') }}

),

product_versions as (

    select * from {{ ref('snap_products') }}

),

version_counts as (

    select
        product_id,
        count(*) as known_versions

    from product_versions

    group by product_id

),

-- A full join: products without orders stay, and ids known from orders alone are inferred.
members as (

    select
        coalesce(products.product_id, product_orders.product_id) as product_id,
        coalesce(products.product_name, 'unknown') as product_name,
        coalesce(products.category, 'unknown') as category,
        products.unit_cost,
        products.product_id is null as is_unknown,
        product_orders.first_order_date,
        product_orders.last_order_date,
        coalesce(product_orders.total_orders, 0) as total_orders,
        coalesce(product_orders.total_quantity, 0) as total_quantity,
        coalesce(product_orders.total_revenue, 0) as total_revenue,
        products.updated_at,
        products.deleted_at

    from products

    full outer join product_orders on products.product_id = product_orders.product_id

),

final as (

    select
        members.product_id,
        members.product_name,
        members.category,
        members.unit_cost,
        members.is_unknown,
        members.first_order_date,
        members.last_order_date,
        members.total_orders,
        members.total_quantity,
        members.total_revenue,
        coalesce(version_counts.known_versions, 0) as known_versions,
        members.updated_at,
        members.deleted_at

    from members

    left join version_counts on members.product_id = version_counts.product_id

)

select * from final
