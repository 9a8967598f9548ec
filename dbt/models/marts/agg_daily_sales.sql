{#
    Replaced by whole dates: BigQuery can do that by partition only, and there the table is made anew.
#}
{{
    config(
        materialized='table' if target.type == 'bigquery' else 'incremental',
        incremental_strategy='delete+insert',
        unique_key='order_date',
        on_schema_change='append_new_columns',
        post_hook="delete from {{ this }} where order_date not in (select order_date from {{ ref('fct_orders') }})"
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

summed as (

    select
        order_date,
        category,
        region,
        customer_segment,
        count(distinct order_number) as total_orders,
        count(distinct customer_id) as unique_customers,
        sum(quantity) as total_quantity,
        sum(order_amount) as total_revenue,
        sum(case when cost_amount is not null then order_amount else 0 end) as known_cost_revenue,
        sum(profit_amount) as total_profit,
        count(*) as total_order_rows,
        max(load_id) as load_id

    from changed_orders

    group by order_date, category, region, customer_segment

),

final as (

    select
        order_date,
        category,
        region,
        customer_segment,
        total_orders,
        unique_customers,
        total_quantity,
        total_revenue,
        {{ ratio('total_revenue', 'total_orders') }} as avg_order_value,
        known_cost_revenue,
        total_profit,
        {{ ratio('100 * total_profit', 'known_cost_revenue') }} as profit_margin_pct,
        total_order_rows,
        load_id

    from summed

)

select * from final
