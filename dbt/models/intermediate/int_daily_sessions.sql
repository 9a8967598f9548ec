{{
    config(
        materialized='incremental',
        unique_key='event_date',
        on_schema_change='fail'
    )
}}

with

clicks as (

    select * from {{ ref('stg_clickstream') }}

),

changed_days as (

    {{ changed_groups(ref('stg_clickstream'), 'event_date', 'total_events') }}

),

changed_clicks as (

    select * from clicks

    where event_date in (select changed_days.event_date from changed_days)

),

visitors as (

    select
        event_date,
        count(distinct user_id) as total_visitors

    from changed_clicks

    group by event_date

),

-- An event without a session counts to a session named after its user.
sessions as (

    select
        event_date,
        coalesce(session_id, user_id) as session_key,
        max(case when event_type = 'product_view' then 1 else 0 end) as has_product_view,
        max(case when event_type = 'add_to_cart' then 1 else 0 end) as has_add_to_cart,
        max(case when event_type = 'checkout' then 1 else 0 end) as has_checkout,
        max(case when event_type = 'purchase' then 1 else 0 end) as has_purchase

    from changed_clicks

    group by event_date, coalesce(session_id, user_id)

),

session_steps as (

    select
        event_date,
        count(*) as total_sessions,
        sum(has_product_view) as product_view_sessions,
        sum(has_add_to_cart) as add_to_cart_sessions,
        sum(has_checkout) as checkout_sessions,
        sum(has_purchase) as purchase_sessions

    from sessions

    group by event_date

),

final as (

    select
        changed_days.event_date,
        changed_days.total_events,
        coalesce(visitors.total_visitors, 0) as total_visitors,
        coalesce(session_steps.total_sessions, 0) as total_sessions,
        coalesce(session_steps.product_view_sessions, 0) as product_view_sessions,
        coalesce(session_steps.add_to_cart_sessions, 0) as add_to_cart_sessions,
        coalesce(session_steps.checkout_sessions, 0) as checkout_sessions,
        coalesce(session_steps.purchase_sessions, 0) as purchase_sessions,
        changed_days.load_id

    from changed_days

    left join visitors on changed_days.event_date = visitors.event_date

    left join session_steps on changed_days.event_date = session_steps.event_date

)

select * from final
