"""silver.orders: one row per order_id, the newest valid version of bronze's change log."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from spark_jobs.rows import flag
from spark_jobs.silver.job import audit_change_log, business_date, change_log_job, run_as_script

SCHEMA = StructType(
    [
        StructField("order_id", LongType()),
        StructField("customer_id", LongType()),
        StructField("product_id", LongType()),
        StructField("order_date", DateType()),
        StructField("amount", DecimalType(12, 2)),
        StructField("quantity", IntegerType()),
        StructField("status", StringType()),
        StructField("updated_at", TimestampType()),
    ]
)
STATUSES = ["pending", "processing", "shipped", "delivered", "cancelled"]
MAX_AMOUNT = 1_000_000
MAX_QUANTITY = 100


def check(bronze: DataFrame, timezone: str) -> DataFrame:
    """Flag each version of an order that breaks a row rule (design.md §3). Grain: one row per bronze row."""
    rules = {
        "order_id_not_null": F.col("order_id").isNotNull(),
        "customer_id_not_null": F.col("customer_id").isNotNull(),
        "product_id_not_null": F.col("product_id").isNotNull(),
        "amount_in_range": (F.col("amount") > 0) & (F.col("amount") <= MAX_AMOUNT),
        "quantity_in_range": F.col("quantity").between(1, MAX_QUANTITY),
        "status_known": F.col("status").isin(STATUSES),
        "updated_at_not_null": F.col("updated_at").isNotNull(),
        # Against the day the row was written, not the run's: the verdict must not depend on which run saw it.
        "order_date_not_in_future": F.col("order_date") <= business_date(timezone),
    }
    return audit_change_log(flag(bronze, rules), "orders", "order_id", timezone)


JOB = change_log_job("orders", "order_id", SCHEMA, check)

if __name__ == "__main__":
    run_as_script(JOB)
