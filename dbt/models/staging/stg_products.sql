with

source as (

    select * from {{ source('silver', 'products') }}

),

renamed as (

    select
        -- ids
        product_id,
        cast(load_id as {{ dbt.type_bigint() }}) as load_id,

        -- text
        cast({{ unless_blank('product_name') }} as {{ dbt.type_string() }}) as product_name,
        cast({{ unless_blank('category') }} as {{ dbt.type_string() }}) as category,

        -- numbers
        {{ money('unit_cost') }} as unit_cost,

        -- times
        updated_at,
        deleted_at

    from source

)

select * from renamed
