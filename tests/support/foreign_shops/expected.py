"""What the marts should hold, as SQL over a shop's views `expected.orders`, `expected.customers` and `expected.products`.

Those views are written by hand for each shop, over its own tables. Nothing here is shared with the pipeline.
"""

ITEMS = """
create view expected.items as
select o.*,
    coalesce(c.customer_name, 'unknown') as customer_name,
    coalesce(c.customer_segment, 'unknown') as customer_segment,
    coalesce(c.region, 'unknown') as region,
    coalesce(p.product_name, 'unknown') as product_name,
    coalesce(p.category, 'unknown') as category,
    p.unit_cost * o.quantity as cost_amount,
    o.amount - p.unit_cost * o.quantity as profit_amount
from expected.orders as o
left join expected.customers as c using (customer_id)
left join expected.products as p using (product_id)
"""
# Mart -> (the columns that are compared, what they should hold); keys as text, whatever type they have.
MARTS = {
    "fct_orders": (
        "cast(order_id as text) as order_id, order_number, order_date,"
        " cast(customer_id as text) as customer_id, customer_name,"
        " customer_segment, region, cast(product_id as text) as product_id, product_name, category, quantity,"
        " order_amount, cost_amount, profit_amount, status",
        """select order_id, order_number, order_date, customer_id, customer_name, customer_segment, region,
            product_id, product_name, category, quantity, amount, cost_amount, profit_amount, status
        from expected.items""",
    ),
    "agg_daily_sales": (
        "order_date, category, region, customer_segment, total_orders, unique_customers, total_quantity,"
        " total_revenue, total_profit",
        """select order_date, category, region, customer_segment, count(distinct order_number),
            count(distinct customer_id), sum(quantity), sum(amount), sum(profit_amount)
        from expected.items group by 1, 2, 3, 4""",
    ),
    "dim_customers": (
        "cast(customer_id as text) as customer_id, customer_name, customer_segment, region, is_unknown,"
        " first_order_date, last_order_date, total_orders, lifetime_amount",
        """select coalesce(c.customer_id, o.customer_id), coalesce(max(c.customer_name), 'unknown'),
            coalesce(max(c.customer_segment), 'unknown'), coalesce(max(c.region), 'unknown'),
            c.customer_id is null, min(order_date), max(order_date), count(distinct order_number),
            coalesce(sum(amount), 0)
        from expected.customers as c full join expected.orders as o on o.customer_id = c.customer_id
        group by c.customer_id, o.customer_id""",
    ),
    "customer_segments": (
        "cast(customer_id as text) as customer_id, customer_segment, region, recency_days, frequency, monetary",
        """select customer_id, max(customer_segment), max(region),
            (select max(order_date) from expected.orders) - max(order_date),
            count(distinct order_number), sum(amount)
        from expected.items group by customer_id""",
    ),
}
