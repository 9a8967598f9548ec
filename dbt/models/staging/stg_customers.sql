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
        cast(customer_name as {{ dbt.type_string() }}) as customer_name,
        cast(customer_segment as {{ dbt.type_string() }}) as customer_segment,
        cast(region as {{ dbt.type_string() }}) as region,

        -- times
        updated_at,
        deleted_at

    from source

)

select * from renamed
