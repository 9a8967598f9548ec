with

sessions as (

    select
        event_at::date as event_date,
        session_id,
        any_value(user_id) as user_id,
        bool_or(event_type = 'product_view') as has_product_view,
        bool_or(event_type = 'add_to_cart') as has_add_to_cart,
        bool_or(event_type = 'checkout') as has_checkout,
        bool_or(event_type = 'purchase') as has_purchase

    from {{ ref('stg_clicks') }}

    group by all

)

select
    event_date,
    count(distinct user_id) as total_visitors,
    count(*) as total_sessions,
    count_if(has_product_view) as product_view_sessions,
    count_if(has_add_to_cart) as add_to_cart_sessions,
    count_if(has_checkout) as checkout_sessions,
    count_if(has_purchase) as purchase_sessions

from sessions

group by event_date
