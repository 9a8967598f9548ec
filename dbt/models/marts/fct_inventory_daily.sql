{#
    Built again from the first date whose events have changed; what was before stays, and says where the levels were.
    Replaced by whole dates, as agg_daily_sales is: so that rows of events that are gone go, too.
#}
{{
    config(
        materialized='table' if target.type == 'bigquery' else 'incremental',
        incremental_strategy='delete+insert',
        unique_key='inventory_date',
        on_schema_change='append_new_columns',
        post_hook="delete from {{ this }} where inventory_date not in (select event_date from {{ ref('stg_inventory') }})"
    )
}}
{%- set goes_on = is_incremental() and has_column(this, 'load_id') %}

with

{% if goes_on %}

    changed_dates as (

        {{ changed_groups(ref('stg_inventory'), 'event_date', 'total_events', 'inventory_date') }}

    ),

    period as (

        select min(event_date) as first_date from changed_dates

    ),

{% endif %}

events as (

    select
        product_id,
        warehouse_id,
        quantity_change,
        on_hand,
        event_at,
        event_date,
        kafka_topic,
        kafka_partition,
        kafka_offset,
        load_id

    from {{ ref('stg_inventory') }}

    {% if goes_on %}

        where event_date >= (select period.first_date from period)

    {% endif %}

),

{% if goes_on %}

    -- The last date before the period has a row for each product and warehouse that had an event by then.
    opening as (

        select
            product_id,
            warehouse_id,
            cast(null as {{ dbt.type_bigint() }}) as quantity_change,
            closing_on_hand as on_hand,
            newest_event_at as event_at,
            inventory_date as event_date,
            cast(null as {{ dbt.type_string() }}) as kafka_topic,
            cast(null as {{ dbt.type_bigint() }}) as kafka_partition,
            cast(null as {{ dbt.type_bigint() }}) as kafka_offset,
            cast(null as {{ dbt.type_bigint() }}) as load_id

        from {{ this }}

        where
            inventory_date = (
                select max(inventory_date) from {{ this }}

                where inventory_date < (select period.first_date from period)
            )

    ),

    events_and_opening as (

        select * from opening

        union all

        select * from events

    ),

{% endif %}

-- Of events of one moment the broker's order decides, as in the stock alerts
-- (tasks/inventory/stock_levels.py).
ordered as (

    select
        *,
        lag(on_hand) over (
            partition by product_id, warehouse_id
            order by event_at, kafka_topic, kafka_partition, kafka_offset
        ) as on_hand_before,
        lead(event_date) over (
            partition by product_id, warehouse_id
            order by event_at, kafka_topic, kafka_partition, kafka_offset
        ) as next_event_date

    from {{ 'events_and_opening' if goes_on else 'events' }}

),

dates as (

    select
        event_date as inventory_date,
        max(load_id) as load_id

    from events

    group by event_date

),

per_day as (

    select
        product_id,
        warehouse_id,
        event_date,
        count(*) as total_events,
        sum(case when quantity_change > 0 then quantity_change else 0 end) as received_quantity,
        sum(case when quantity_change < 0 then -quantity_change else 0 end) as issued_quantity,
        sum(case when on_hand_before + quantity_change <> on_hand then 1 else 0 end) as total_gaps

    from ordered

    group by product_id, warehouse_id, event_date

),

closing as (

    select
        product_id,
        warehouse_id,
        event_date,
        next_event_date,
        on_hand,
        event_at

    from ordered

    where next_event_date is null or next_event_date > event_date

),

-- A day without an event of its own keeps the level of the last one.
daily as (

    select
        dates.inventory_date,
        dates.load_id,
        closing.product_id,
        closing.warehouse_id,
        closing.event_at,
        closing.on_hand

    from dates

    inner join closing
        on
            dates.inventory_date >= closing.event_date
            and (closing.next_event_date is null or dates.inventory_date < closing.next_event_date)

),

final as (

    select
        daily.inventory_date,
        daily.product_id,
        daily.warehouse_id,
        daily.on_hand as closing_on_hand,
        coalesce(per_day.received_quantity, 0) as received_quantity,
        coalesce(per_day.issued_quantity, 0) as issued_quantity,
        coalesce(per_day.total_events, 0) as total_events,
        coalesce(per_day.total_gaps, 0) as total_gaps,
        daily.event_at as newest_event_at,
        daily.load_id

    from daily

    left join per_day
        on
            daily.product_id = per_day.product_id
            and daily.warehouse_id = per_day.warehouse_id
            and daily.inventory_date = per_day.event_date

)

select * from final
