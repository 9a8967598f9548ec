"""gold.daily_sales: revenue by order date, category and region, from silver.

All statuses count. It must agree to the cent with dbt's agg_daily_sales; the gold gate compares them. An
order with rows in two categories counts in both.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, DecimalType, LongType, StringType, StructField, StructType

from spark_jobs.gold.job import TOTAL_ORDERS, GoldJob, known, total_orders
from spark_jobs.rows import require_schema

SCHEMA = StructType(
    [
        StructField("order_date", DateType()),
        StructField("category", StringType()),
        StructField("region", StringType()),
        StructField("total_orders", LongType()),
        StructField("total_revenue", DecimalType(18, 2)),
        StructField("avg_order_value", DecimalType(12, 2)),
        StructField("unique_customers", LongType()),
    ]
)


def transform(orders: DataFrame, customers: DataFrame, products: DataFrame) -> DataFrame:
    """Aggregate silver. Grain: one row per (order_date, category, region); money in the shop's currency."""
    # Left joins: an order whose customer or product is not there yet is still revenue.
    sales = orders.join(products.select("product_id", "category"), "product_id", "left").join(
        customers.select("customer_id", "region"), "customer_id", "left"
    )
    daily = sales.groupBy(
        "order_date",
        known("category"),
        known("region"),
    ).agg(
        total_orders(orders).alias("total_orders"),
        F.sum("amount").cast("decimal(18,2)").alias("total_revenue"),
        F.round(F.sum("amount") / total_orders(orders), 2).cast("decimal(12,2)").alias("avg_order_value"),
        F.countDistinct("customer_id").alias("unique_customers"),
    )
    return require_schema(daily, SCHEMA)


JOB = GoldJob(
    "daily_sales",
    SCHEMA,
    transform,
    sources={
        "order_date": ("orders.order_date",),
        "category": ("products.category",),
        "region": ("customers.region",),
        "total_orders": TOTAL_ORDERS,
        "total_revenue": ("orders.amount",),
        "avg_order_value": ("orders.amount", *TOTAL_ORDERS),
        "unique_customers": ("orders.customer_id",),
    },
)
