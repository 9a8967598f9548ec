"""silver.customers: one row per customer_id, the newest valid version of bronze's change log."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField, StructType, TimestampType

from spark_jobs.rows import flag
from spark_jobs.silver.job import audit_change_log, change_log_job, run_as_script

SCHEMA = StructType(
    [
        StructField("customer_id", LongType()),
        StructField("customer_name", StringType()),
        StructField("customer_segment", StringType()),
        StructField("region", StringType()),
        StructField("updated_at", TimestampType()),
    ]
)


def check(bronze: DataFrame, timezone: str) -> DataFrame:
    """Flag customers without a key or a version. Grain: one row per bronze row."""
    rules = {
        "customer_id_not_null": F.col("customer_id").isNotNull(),
        # A version without a time would never make way for a newer one.
        "updated_at_not_null": F.col("updated_at").isNotNull(),
    }
    return audit_change_log(flag(bronze, rules), "customers", "customer_id", timezone)


JOB = change_log_job("customers", "customer_id", SCHEMA, check)

if __name__ == "__main__":
    run_as_script(JOB)
