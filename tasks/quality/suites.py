"""Every suite of expectations, by the layer and the table that it judges."""

from expectations.bronze import clickstream as bronze_clickstream
from expectations.bronze import customers as bronze_customers
from expectations.bronze import orders as bronze_orders
from expectations.bronze import products as bronze_products
from expectations.gold import agg_daily_sales as gold_agg_daily_sales
from expectations.gold import customer_segments as gold_customer_segments
from expectations.gold import dim_customers as gold_dim_customers
from expectations.gold import fct_inventory_daily as gold_fct_inventory_daily
from expectations.gold import fct_orders as gold_fct_orders
from expectations.gold import inventory_status as gold_inventory_status
from expectations.gold import order_totals as gold_order_totals
from expectations.silver import clickstream as silver_clickstream
from expectations.silver import customers as silver_customers
from expectations.silver import inventory as silver_inventory
from expectations.silver import orders as silver_orders
from expectations.silver import products as silver_products

BRONZE_SUITES = {
    module.SUITE.name: module.SUITE
    for module in (bronze_orders, bronze_customers, bronze_products, bronze_clickstream)
}

SILVER_SUITES = {
    module.SUITE.name: module.SUITE
    for module in (silver_orders, silver_customers, silver_products, silver_clickstream, silver_inventory)
}

# The gate of the daily run; the marts of stock change between its runs, too.
SALES_SUITES = {
    module.SUITE.name: module.SUITE
    for module in (
        gold_fct_orders,
        gold_dim_customers,
        gold_agg_daily_sales,
        gold_customer_segments,
        gold_order_totals,
    )
}

GOLD_SUITES = SALES_SUITES | {
    module.SUITE.name: module.SUITE for module in (gold_fct_inventory_daily, gold_inventory_status)
}
