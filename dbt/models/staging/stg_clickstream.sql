with

source as (

    select * from {{ source('silver', 'clickstream') }}

),

renamed as (

    select
        -- ids
        cast(event_id as {{ dbt.type_string() }}) as event_id,
        cast(user_id as {{ dbt.type_string() }}) as user_id,
        cast({{ unless_blank('session_id') }} as {{ dbt.type_string() }}) as session_id,
        cast({{ unless_blank('product_id') }} as {{ dbt.type_string() }}) as product_id,
        cast(load_id as {{ dbt.type_bigint() }}) as load_id,

        -- text
        cast(event_type as {{ dbt.type_string() }}) as event_type,
        cast(page_url as {{ dbt.type_string() }}) as page_url,

        -- times
        event_at,
        cast(event_date as date) as event_date,
        cast(event_hour as {{ dbt.type_int() }}) as event_hour

    from source

)

select * from renamed
