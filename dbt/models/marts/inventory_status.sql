with

movements as (

    select * from {{ ref('int_stock_movements') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

stock as (

    select
        product_id,
        sum(case when is_newest then on_hand else 0 end) as on_hand,
        count(distinct warehouse_id) as total_warehouses,
        sum(case when is_gap then 1 else 0 end) as total_gaps,
        max(event_at) as newest_event_at

    from movements

    group by product_id

),

order_dates as (

    select
        min(order_date) as first_date,
        max(order_date) as last_date

    from orders

),

-- The 28 days up to the newest order, or as many as there are.
sales_period as (

    select
        last_date,
        least(
            28,
            {{ dbt.datediff('first_date', 'last_date', 'day') }}
            + 1
        ) as total_days

    from order_dates

),

orders_with_age as (

    select
        orders.product_id,
        orders.quantity,
        orders.status,
        sales_period.total_days,
        {{ dbt.datediff('orders.order_date', 'sales_period.last_date', 'day') }}
            as days_ago

    from orders

    cross join sales_period

),

rates as (

    select
        product_id,
        {{ ratio('sum(quantity)', 'max(total_days)', places=4) }} as units_per_day

    from orders_with_age

    where
        status <> 'cancelled'
        and days_ago < total_days

    group by product_id

),

stock_with_sales_rate as (

    select
        stock.product_id,
        coalesce(products.product_name, 'unknown') as product_name,
        coalesce(products.category, 'unknown') as category,
        stock.on_hand,
        coalesce(rates.units_per_day, 0) as units_per_day,
        {{ ratio('stock.on_hand', 'rates.units_per_day') }} as days_of_cover,
        cast(
            ceil(
                coalesce(rates.units_per_day, 0)
                * {{ money(var('lead_time_days') + var('safety_stock_days')) }}
            ) as {{ dbt.type_bigint() }}
        ) as reorder_point,
        stock.total_warehouses,
        stock.total_gaps,
        stock.newest_event_at

    from stock

    left join products on stock.product_id = products.product_id

    left join rates on stock.product_id = rates.product_id

),

final as (

    select
        product_id,
        product_name,
        category,
        on_hand,
        units_per_day,
        days_of_cover,
        reorder_point,
        case
            when on_hand <= 0 then 'out'
            when on_hand < reorder_point then 'low'
            else 'ok'
        end as state,
        total_warehouses,
        total_gaps,
        newest_event_at

    from stock_with_sales_rate

)

select * from final
