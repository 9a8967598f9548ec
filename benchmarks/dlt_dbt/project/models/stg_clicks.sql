{{ config(materialized='incremental') }}

with

lines as (

    select raw, day from raw.clicks

    {% if is_incremental() %}

        where day > (select max(day) from {{ this }})

    {% endif %}

),

parsed as (

    select
        day,
        if(json_valid(raw), from_json(raw, '{
            "event_id": "VARCHAR", "user_id": "VARCHAR", "session_id": "VARCHAR", "event_type": "VARCHAR",
            "page_url": "VARCHAR", "timestamp": "VARCHAR", "properties": {"product_id": "BIGINT"}
        }'), null) as event

    from lines

),

valid as (

    select
        day,
        event.event_id,
        event.user_id,
        event.session_id,
        event.event_type,
        event.page_url,
        event.properties.product_id,
        try_cast(event.timestamp as timestamptz) as event_at

    from parsed

    where event.event_id is not null and event.user_id is not null and event_at is not null

)

select * from valid

{% if is_incremental() %}

    where event_id not in (select event_id from {{ this }})

{% endif %}

qualify row_number() over (partition by event_id order by event_at) = 1
