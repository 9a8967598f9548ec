"""gold.daily_segment_sales: orders and revenue by order date and the shop's own customer segment."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DateType, DecimalType, LongType, StringType, StructField, StructType

from spark_jobs.gold.job import TOTAL_ORDERS, GoldJob, known, total_orders
from spark_jobs.rows import require_schema

SCHEMA = StructType(
    [
        StructField("order_date", DateType()),
        StructField("customer_segment", StringType()),
        StructField("total_orders", LongType()),
        StructField("total_revenue", DecimalType(18, 2)),
    ]
)


def transform(orders: DataFrame, customers: DataFrame, products: DataFrame) -> DataFrame:
    """Aggregate silver. Grain: one row per (order_date, customer_segment); money in the shop's currency."""
    segments = (
        orders.join(customers.select("customer_id", "customer_segment"), "customer_id", "left")
        .groupBy("order_date", known("customer_segment"))
        .agg(
            total_orders(orders).alias("total_orders"),
            F.sum("amount").cast("decimal(18,2)").alias("total_revenue"),
        )
    )
    return require_schema(segments, SCHEMA)


JOB = GoldJob(
    "daily_segment_sales",
    SCHEMA,
    transform,
    sources={
        "order_date": ("orders.order_date",),
        "customer_segment": ("customers.customer_segment",),
        "total_orders": TOTAL_ORDERS,
        "total_revenue": ("orders.amount",),
    },
)
