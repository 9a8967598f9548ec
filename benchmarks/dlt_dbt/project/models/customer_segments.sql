with

measured as (

    select
        customer_id,
        last_order_date,
        total_orders,
        lifetime_amount,
        1 + floor(4.999 * percent_rank() over (order by last_order_date)) as r_score,
        1 + floor(4.999 * percent_rank() over (order by total_orders)) as f_score,
        1 + floor(4.999 * percent_rank() over (order by lifetime_amount)) as m_score

    from {{ ref('dim_customers') }}

    where total_orders > 0

)

select
    *,
    case
        when r_score >= 4 and f_score >= 4 and m_score >= 4 then 'champion'
        when r_score >= 4 then 'recent'
        when f_score >= 4 then 'loyal'
        when r_score <= 2 and f_score >= 3 then 'at risk'
        else 'other'
    end as segment

from measured
