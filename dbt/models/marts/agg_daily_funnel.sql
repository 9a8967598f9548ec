with

session_days as (

    select * from {{ ref('int_daily_sessions') }}

    where total_events > 0

),

order_days as (

    select * from {{ ref('int_daily_orders') }}

    where total_order_rows > 0

),

-- A full join: a day whose clicks or orders are missing shows zeros instead of disappearing.
counted as (

    select
        coalesce(session_days.event_date, order_days.order_date) as event_date,
        coalesce(session_days.total_visitors, 0) as total_visitors,
        coalesce(session_days.total_sessions, 0) as total_sessions,
        coalesce(session_days.product_view_sessions, 0) as product_view_sessions,
        coalesce(session_days.add_to_cart_sessions, 0) as add_to_cart_sessions,
        coalesce(session_days.checkout_sessions, 0) as checkout_sessions,
        coalesce(session_days.purchase_sessions, 0) as purchase_sessions,
        coalesce(order_days.total_orders, 0) as total_orders,
        coalesce(order_days.unique_customers, 0) as unique_customers

    from session_days

    full outer join order_days on session_days.event_date = order_days.order_date

),

final as (

    select
        event_date,
        total_visitors,
        total_sessions,
        product_view_sessions,
        add_to_cart_sessions,
        checkout_sessions,
        purchase_sessions,
        total_orders,
        unique_customers,
        {{ ratio('100 * product_view_sessions', 'total_sessions') }} as product_view_rate_pct,
        {{ ratio('100 * add_to_cart_sessions', 'total_sessions') }} as add_to_cart_rate_pct,
        {{ ratio('100 * checkout_sessions', 'total_sessions') }} as checkout_rate_pct,
        {{ ratio('100 * purchase_sessions', 'total_sessions') }} as conversion_rate_pct

    from counted

)

select * from final
