with

source as (

    select * from {{ source('silver', 'inventory') }}

),

renamed as (

    select
        -- ids
        cast(event_id as {{ dbt.type_string() }}) as event_id,
        product_id,
        cast(warehouse_id as {{ dbt.type_string() }}) as warehouse_id,
        cast(kafka_topic as {{ dbt.type_string() }}) as kafka_topic,
        cast(kafka_partition as {{ dbt.type_bigint() }}) as kafka_partition,
        cast(kafka_offset as {{ dbt.type_bigint() }}) as kafka_offset,
        cast(load_id as {{ dbt.type_bigint() }}) as load_id,

        -- numbers
        cast(quantity_change as {{ dbt.type_bigint() }}) as quantity_change,
        cast(on_hand as {{ dbt.type_bigint() }}) as on_hand,

        -- times
        event_at,
        cast(event_date as date) as event_date,
        sent_at

    from source

)

select * from renamed
