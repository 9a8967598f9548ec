with

source as (

    select * from {{ source('silver', 'customers') }}

),

renamed as (

    select
        -- ids
        customer_id,
        cast(load_id as {{ dbt.type_bigint() }}) as load_id,

        -- text
        cast({{ unless_blank('customer_name') }} as {{ dbt.type_string() }}) as customer_name,
        cast({{ unless_blank('customer_segment') }} as {{ dbt.type_string() }}) as customer_segment,
        cast({{ unless_blank('region') }} as {{ dbt.type_string() }}) as region,

        -- times
        updated_at,
        deleted_at

    from source

)

select * from renamed
