with

events as (

    select * from {{ ref('stg_inventory') }}

),

-- Of events of one moment the broker's order decides, as in the stock alerts
-- (tasks/inventory/stock_levels.py).
ordered as (

    select
        event_id,
        product_id,
        warehouse_id,
        quantity_change,
        on_hand,
        event_at,
        event_date,
        lag(on_hand) over (
            partition by product_id, warehouse_id
            order by event_at, kafka_topic, kafka_partition, kafka_offset
        ) as on_hand_before,
        lead(event_date) over (
            partition by product_id, warehouse_id
            order by event_at, kafka_topic, kafka_partition, kafka_offset
        ) as next_event_date

    from events

),

final as (

    select
        event_id,
        product_id,
        warehouse_id,
        quantity_change,
        on_hand,
        event_at,
        event_date,
        next_event_date,
        next_event_date is null as is_newest,
        next_event_date is null or next_event_date > event_date as is_last_of_day,
        coalesce(on_hand_before + quantity_change <> on_hand, false) as is_gap

    from ordered

)

select * from final
