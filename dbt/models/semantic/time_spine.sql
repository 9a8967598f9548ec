with

numbers as (

    {{ dbt.generate_series(18628) }}

),

final as (

    select
        cast(
            {{ dbt.dateadd('day', 'generated_number - 1', "cast('2000-01-01' as date)") }} as date
        ) as date_day

    from numbers

)

select * from final
