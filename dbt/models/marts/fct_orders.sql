{{
    config(
        materialized='incremental',
        unique_key='order_id',
        on_schema_change='append_new_columns',
        post_hook="delete from {{ this }} where {{ is_gone('orders', 'order_id') }}",
        partition_by={'field': 'order_date', 'data_type': 'date'} if target.type == 'bigquery' else none,
        cluster_by={'bigquery': ['order_id'], 'snowflake': ['order_date']}.get(target.type)
    )
}}

with

order_items as (

    select * from {{ ref('int_orders_enriched') }}

),

orders as (

    select * from {{ ref('stg_orders') }}

),

customers as (

    select * from {{ ref('stg_customers') }}

),

products as (

    select * from {{ ref('stg_products') }}

),

built as (

    {# A table that lacks the column gets it, and all its orders are built anew. #}
    {% if is_incremental() and has_column(this, 'order_number') %}

        select coalesce(max(load_id), 0) as last_load_id from {{ this }}

    {% else %}

        select 0 as last_load_id

    {% endif %}

),

changed_customers as (

    select customer_id from customers

    where load_id > (select built.last_load_id from built)

),

changed_products as (

    select product_id from products

    where load_id > (select built.last_load_id from built)

),

-- Ids first, attributes after: filtering order_items by its own load_id would give the same orders,
-- but only after joining every order there is.
changed_orders as (

    select order_id from orders

    where
        load_id > (select built.last_load_id from built)
        or customer_id in (select changed_customers.customer_id from changed_customers)
        or product_id in (select changed_products.product_id from changed_products)

),

final as (

    select
        order_id,
        order_date,
        customer_id,
        customer_name,
        customer_segment,
        region,
        product_id,
        product_name,
        category,
        quantity,
        order_amount,
        cost_amount,
        profit_amount,
        status,
        order_number,
        is_unknown_customer,
        is_unknown_product,
        updated_at,
        deleted_at,
        load_id

    from order_items

    where order_id in (select changed_orders.order_id from changed_orders)

)

select * from final
