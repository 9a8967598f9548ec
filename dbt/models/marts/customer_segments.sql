with

customers as (

    select * from {{ ref('dim_customers') }}

),

-- "Today" is the newest order in the data: the same data give the same scores on any day.
newest_order as (

    select max(last_order_date) as newest_order_date from customers

),

measured as (

    select
        customers.customer_id,
        customers.customer_name,
        customers.customer_segment,
        customers.region,
        {{ dbt.datediff('customers.last_order_date', 'newest_order.newest_order_date', 'day') }}
            as recency_days,
        customers.total_orders as frequency,
        customers.lifetime_amount as monetary

    from customers

    cross join newest_order

    where customers.total_orders > 0

),

ranked as (

    select
        *,
        percent_rank() over (order by recency_days desc) as recency_share_beaten,
        percent_rank() over (order by frequency) as frequency_share_beaten,
        percent_rank() over (order by monetary) as monetary_share_beaten

    from measured

),

scored as (

    select
        *,
        {{ quintile_score('recency_share_beaten') }} as r_score,
        {{ quintile_score('frequency_share_beaten') }} as f_score,
        {{ quintile_score('monetary_share_beaten') }} as m_score

    from ranked

),

final as (

    select
        customer_id,
        customer_name,
        customer_segment,
        region,
        recency_days,
        frequency,
        monetary,
        r_score,
        f_score,
        m_score,
        case
            when r_score >= 4 and f_score >= 4 and m_score >= 4 then 'champion'
            when r_score >= 3 and f_score >= 4 then 'loyal'
            when r_score <= 2 and (f_score >= 4 or m_score >= 4) then 'at_risk'
            when r_score <= 2 then 'hibernating'
            when r_score >= 4 and f_score <= 2 then 'promising'
            else 'regular'
        end as rfm_segment

    from scored

)

select * from final
