with

source as (

    select * from {{ source('silver', 'orders') }}

),

renamed as (

    select
        -- ids
        cast(order_id as {{ dbt.type_bigint() }}) as order_id,
        cast(customer_id as {{ dbt.type_bigint() }}) as customer_id,
        cast(product_id as {{ dbt.type_bigint() }}) as product_id,
        cast(load_id as {{ dbt.type_bigint() }}) as load_id,

        -- text
        cast(status as {{ dbt.type_string() }}) as status,

        -- numbers
        {{ money('amount') }} as order_amount,
        cast(quantity as {{ dbt.type_int() }}) as quantity,

        -- times
        cast(order_date as date) as order_date,
        updated_at,
        deleted_at

    from source

)

select * from renamed
