with

days as (

    select * from {{ ref('fct_inventory_daily') }}

),

orders as (

    select * from {{ ref('fct_orders') }}

),

products as (

    select * from {{ ref('dim_products') }}

),

policies as (

    select * from {{ ref('stg_reorder_policy') }}

),

newest_day as (

    select max(inventory_date) as inventory_date from days

),

gaps as (

    select
        product_id,
        sum(total_gaps) as total_gaps

    from days

    group by product_id

),

-- The newest day has a row for each product and warehouse that ever had an event.
levels as (

    select
        days.product_id,
        sum(days.closing_on_hand) as on_hand,
        count(*) as total_warehouses,
        max(days.newest_event_at) as newest_event_at

    from days

    inner join newest_day on days.inventory_date = newest_day.inventory_date

    group by days.product_id

),

stock as (

    select
        levels.product_id,
        levels.on_hand,
        levels.total_warehouses,
        gaps.total_gaps,
        levels.newest_event_at

    from levels

    inner join gaps on levels.product_id = gaps.product_id

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

-- What is known of each product beyond its sales, and the defaults where that is nothing.
stock_with_terms as (

    select
        stock.product_id,
        coalesce(products.product_name, 'unknown') as product_name,
        coalesce(products.category, 'unknown') as category,
        stock.on_hand,
        coalesce(policies.on_order, 0) as on_order,
        coalesce(policies.lead_time_days, {{ money(var('lead_time_days')) }}) as lead_time_days,
        coalesce(policies.pack_size, 1) as pack_size,
        coalesce(policies.minimum_order, 0) as minimum_order,
        coalesce(rates.units_per_day, 0) as units_per_day,
        {{ ratio('stock.on_hand', 'rates.units_per_day') }} as days_of_cover,
        policies.forecast_per_day,
        policies.forecast_reorder_point,
        policies.forecast_order_up_to,
        -- Nobody has made a forecast for a week: it no longer counts.
        coalesce(
            policies.forecast_reorder_point is not null
            and {{ dbt.datediff('policies.forecast_date', 'sales_period.last_date', 'day') }}
            <= 7,
            false
        ) as has_forecast,
        sales_period.last_date,
        stock.total_warehouses,
        stock.total_gaps,
        stock.newest_event_at

    from stock

    cross join sales_period

    left join products on stock.product_id = products.product_id

    left join rates on stock.product_id = rates.product_id

    left join policies on stock.product_id = policies.product_id

),

stock_with_reorder_point as (

    select
        *,
        case when has_forecast then 'forecast' else 'trailing_28_days' end as reorder_rule,
        case when has_forecast then forecast_per_day else units_per_day end as pace,
        case
            when has_forecast then forecast_reorder_point
            else cast(
                ceil(
                    units_per_day * (lead_time_days + {{ money(var('safety_stock_days')) }})
                ) as {{ dbt.type_bigint() }}
            )
        end as reorder_point

    from stock_with_terms

),

stock_with_levels as (

    select
        *,
        on_hand + on_order - reorder_point as above_reorder_point,
        case
            when has_forecast then forecast_order_up_to
            else reorder_point + cast(
                ceil(
                    units_per_day * {{ money(var('order_cycle_days')) }}
                ) as {{ dbt.type_bigint() }}
            )
        end as order_up_to

    from stock_with_reorder_point

),

stock_with_days_left as (

    select
        *,
        cast(
            floor({{ ratio('above_reorder_point', 'pace', places=4) }}) as {{ dbt.type_bigint() }}
        ) as days_left

    from stock_with_levels

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
        newest_event_at,
        reorder_rule,
        lead_time_days,
        on_order,
        order_up_to,
        case
            when above_reorder_point >= 0 then 0
            else pack_size * cast(
                ceil(greatest(order_up_to - on_hand - on_order, minimum_order) / pack_size)
                as {{ dbt.type_bigint() }}
            )
        end as quantity_to_order,
        case
            when days_left > 0 then cast({{ dbt.dateadd('day', 'days_left', 'last_date') }} as date)
            when pace > 0 then last_date
        end as order_by_date

    from stock_with_days_left

)

select * from final
