"""silver.products: one row per product_id, the newest valid version of bronze's change log."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import DecimalType, LongType, StringType, StructField, StructType, TimestampType

from spark_jobs.rows import flag
from spark_jobs.silver.job import audit_change_log, change_log_job, run_as_script

SCHEMA = StructType(
    [
        StructField("product_id", LongType()),
        StructField("product_name", StringType()),
        StructField("category", StringType()),
        StructField("unit_cost", DecimalType(12, 2)),
        StructField("updated_at", TimestampType()),
    ]
)


def check(bronze: DataFrame, timezone: str) -> DataFrame:
    """Flag products without a key or a version. Grain: one row per bronze row."""
    rules = {
        "product_id_not_null": F.col("product_id").isNotNull(),
        # A version without a time would never make way for a newer one.
        "updated_at_not_null": F.col("updated_at").isNotNull(),
    }
    return audit_change_log(flag(bronze, rules), "products", "product_id", timezone)


JOB = change_log_job("products", "product_id", SCHEMA, check)

if __name__ == "__main__":
    run_as_script(JOB)
