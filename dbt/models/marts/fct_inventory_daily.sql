with

movements as (

    select * from {{ ref('int_stock_movements') }}

),

dates as (

    select distinct event_date as inventory_date from movements

),

per_day as (

    select
        product_id,
        warehouse_id,
        event_date,
        count(*) as total_events,
        sum(case when quantity_change > 0 then quantity_change else 0 end) as received_quantity,
        sum(case when quantity_change < 0 then -quantity_change else 0 end) as issued_quantity,
        sum(case when is_gap then 1 else 0 end) as total_gaps

    from movements

    group by product_id, warehouse_id, event_date

),

closing as (

    select
        product_id,
        warehouse_id,
        event_date,
        next_event_date,
        on_hand

    from movements

    where is_last_of_day

),

-- A day without an event of its own keeps the level of the last one.
daily as (

    select
        dates.inventory_date,
        closing.product_id,
        closing.warehouse_id,
        closing.event_date,
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
        coalesce(per_day.total_gaps, 0) as total_gaps

    from daily

    left join per_day
        on
            daily.product_id = per_day.product_id
            and daily.warehouse_id = per_day.warehouse_id
            and daily.inventory_date = per_day.event_date

)

select * from final
