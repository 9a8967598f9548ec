with

staged as (

    select count(*) as total_rows from {{ ref('stg_orders') }}

),

marts as (

    select count(*) as total_rows from {{ ref('fct_orders') }}

),

differences as (

    select
        staged.total_rows as staged_rows,
        marts.total_rows as mart_rows

    from staged

    cross join marts

    where staged.total_rows <> marts.total_rows

)

select * from differences
