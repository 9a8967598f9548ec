with

source as (

    select * from {{ source('ops', 'reorder_policy') }}

),

renamed as (

    select
        -- ids
        product_id,
        cast(load_id as {{ dbt.type_bigint() }}) as load_id,

        -- text
        forecast_model,

        -- numbers
        {{ money('lead_time_days') }} as lead_time_days,
        cast(pack_size as {{ dbt.type_bigint() }}) as pack_size,
        cast(minimum_order as {{ dbt.type_bigint() }}) as minimum_order,
        cast(on_order as {{ dbt.type_bigint() }}) as on_order,
        forecast_per_day,
        cast(reorder_point as {{ dbt.type_bigint() }}) as forecast_reorder_point,
        cast(order_up_to as {{ dbt.type_bigint() }}) as forecast_order_up_to,

        -- times
        forecast_date

    from source

)

select * from renamed
