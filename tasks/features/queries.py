"""The features of customers and products, as SQL for DuckDB over what was known (known.py).

Sums are decimals and counts are integers, so that the order of rows changes no digit. `sales` are the orders
of the days before the row's own: a run of the morning reads whole days only.
"""

from lake.catalog import catalog
from tasks.features.contract import Entity
from tasks.features.known import known_rows

SALES = """
    sales as (
        select
            *,
            status = 'cancelled' as is_cancelled,
            coalesce(nullif(trim(order_number), ''), order_id::varchar) as number,
            $day - order_date as days_ago
        from orders where order_date < $day
    )
"""
CUSTOMERS = """
    with {known}, {sales},
    sums as (
        select
            customer_id,
            min(order_date) filter (not is_cancelled) as first_date,
            max(order_date) filter (not is_cancelled) as last_date,
            count(distinct order_date) filter (not is_cancelled) as order_days,
            count(distinct number) filter (not is_cancelled) as total_orders,
            count(distinct number) filter (not is_cancelled and days_ago <= 28) as orders_28d,
            count(distinct number) filter (not is_cancelled and days_ago <= 90) as orders_90d,
            count(distinct number) filter (not is_cancelled and days_ago <= 365) as orders_365d,
            count(distinct number) filter (is_cancelled and days_ago <= 365) as cancelled_orders_365d,
            count(distinct product_id) filter (not is_cancelled and days_ago <= 365) as products_365d,
            sum(amount) filter (not is_cancelled) as total_revenue,
            sum(amount) filter (not is_cancelled and days_ago <= 28) as revenue_28d,
            sum(amount) filter (not is_cancelled and days_ago <= 90) as revenue_90d,
            sum(amount) filter (not is_cancelled and days_ago <= 365) as revenue_365d,
            max(read_at) as read_at
        from sales group by customer_id
    )
    select
        coalesce(customers.customer_id, sums.customer_id) as customer_id,
        $as_of::timestamptz as event_timestamp,
        coalesce(greatest(customers.read_at, sums.read_at), $as_of::timestamptz) as created_timestamp,
        $day as feature_date,
        $is_reconstructed as is_reconstructed,
        customers.customer_segment,
        customers.region,
        $day - first_date as days_since_first_order,
        $day - last_date as days_since_last_order,
        (last_date - first_date) / nullif(order_days - 1, 0) as avg_days_between_orders,
        coalesce(total_orders, 0) as total_orders,
        coalesce(orders_28d, 0) as orders_28d,
        coalesce(orders_90d, 0) as orders_90d,
        coalesce(orders_365d, 0) as orders_365d,
        coalesce(cancelled_orders_365d, 0) as cancelled_orders_365d,
        coalesce(products_365d, 0) as products_365d,
        coalesce(total_revenue, 0) as total_revenue,
        coalesce(revenue_28d, 0) as revenue_28d,
        coalesce(revenue_90d, 0) as revenue_90d,
        coalesce(revenue_365d, 0) as revenue_365d
    from customers
    full join sums on customers.customer_id = sums.customer_id
    order by 1
"""
PRODUCTS = """
    with {known}, {sales},
    sums as (
        select
            product_id,
            max(order_date) as last_date,
            count(distinct order_date) filter (days_ago <= 90) as days_with_sales_90d,
            count(distinct number) filter (days_ago <= 28) as orders_28d,
            count(distinct customer_id) filter (days_ago <= 28) as customers_28d,
            sum(quantity) filter (days_ago <= 7) as units_7d,
            sum(quantity) filter (days_ago <= 28) as units_28d,
            sum(quantity) filter (days_ago <= 90) as units_90d,
            sum(quantity) filter (days_ago <= 365) as units_365d,
            sum(quantity) as total_units,
            sum(amount) filter (days_ago <= 28) as revenue_28d,
            max(read_at) as read_at
        from sales where not is_cancelled group by product_id
    )
    select
        coalesce(products.product_id, sums.product_id) as product_id,
        $as_of::timestamptz as event_timestamp,
        coalesce(greatest(products.read_at, sums.read_at), $as_of::timestamptz) as created_timestamp,
        $day as feature_date,
        $is_reconstructed as is_reconstructed,
        products.category,
        products.unit_cost,
        $day - last_date as days_since_last_sale,
        coalesce(days_with_sales_90d, 0) as days_with_sales_90d,
        coalesce(orders_28d, 0) as orders_28d,
        coalesce(customers_28d, 0) as customers_28d,
        coalesce(units_7d, 0) as units_7d,
        coalesce(units_28d, 0) as units_28d,
        coalesce(units_90d, 0) as units_90d,
        coalesce(units_365d, 0) as units_365d,
        coalesce(total_units, 0) as total_units,
        coalesce(revenue_28d, 0) as revenue_28d
    from products
    full join sums on products.product_id = sums.product_id
    order by 1
"""
QUERIES: dict[Entity, str] = {"customers": CUSTOMERS, "products": PRODUCTS}


def feature_query(entity: Entity, is_reconstructed: bool) -> str:
    """The features of an entity on a Day, whose `parameters` it takes; one row per key, in its order."""
    known = [known_rows(catalog()[name], is_reconstructed) for name in ("orders", entity)]
    return QUERIES[entity].format(known=", ".join(known), sales=SALES)
