with

customers as (

    select * from {{ ref('stg_customers') }}

),

customer_orders as (

    select * from {{ ref('int_customer_orders') }}

    where total_order_rows > 0

),

customer_versions as (

    select * from {{ ref('snap_customers') }}

),

version_counts as (

    select
        customer_id,
        count(*) as known_versions

    from customer_versions

    group by customer_id

),

-- A full join: customers without orders stay, and ids known from orders alone are inferred.
members as (

    select
        coalesce(customers.customer_id, customer_orders.customer_id) as customer_id,
        coalesce(customers.customer_name, 'unknown') as customer_name,
        coalesce(customers.customer_segment, 'unknown') as customer_segment,
        coalesce(customers.region, 'unknown') as region,
        customers.customer_id is null as is_unknown,
        customer_orders.first_order_date,
        customer_orders.last_order_date,
        coalesce(customer_orders.total_orders, 0) as total_orders,
        coalesce(customer_orders.lifetime_amount, 0) as lifetime_amount,
        customers.updated_at,
        customers.deleted_at

    from customers

    full outer join customer_orders on customers.customer_id = customer_orders.customer_id

),

final as (

    select
        members.customer_id,
        members.customer_name,
        members.customer_segment,
        members.region,
        members.is_unknown,
        members.first_order_date,
        members.last_order_date,
        members.total_orders,
        members.lifetime_amount,
        coalesce(version_counts.known_versions, 0) as known_versions,
        members.updated_at,
        members.deleted_at

    from members

    left join version_counts on members.customer_id = version_counts.customer_id

)

select * from final
