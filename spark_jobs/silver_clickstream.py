"""silver.clickstream: one row per event_id, from bronze's raw lines.

The same event may be delivered more than once, in one file or in several days' files: the occurrence with
the earliest timestamp counts, then the first file and line. `event_date` and `event_hour` are in the shop's
time zone.
"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import (
    DateType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from spark_jobs.rows import REJECT_REASON, flag
from spark_jobs.silver import SilverJob, run_as_script

BRONZE = StructType(
    [
        StructField("ds", DateType()),
        StructField("source_file", StringType()),
        StructField("line_number", LongType()),
        StructField("raw", StringType()),
    ]
)
EVENT = StructType(
    [
        StructField("event_id", StringType()),
        StructField("user_id", StringType()),
        StructField("session_id", StringType()),
        StructField("event_type", StringType()),
        StructField("page_url", StringType()),
        # Read as text: a timestamp that cannot be read is one bad field, not a bad line.
        StructField("timestamp", StringType()),
        StructField("properties", MapType(StringType(), StringType())),
    ]
)
SCHEMA = StructType(
    [
        StructField("event_id", StringType()),
        StructField("user_id", StringType()),
        StructField("session_id", StringType()),
        StructField("event_type", StringType()),
        StructField("page_url", StringType()),
        StructField("product_id", StringType()),
        StructField("event_at", TimestampType()),
        StructField("event_date", DateType()),
        StructField("event_hour", IntegerType()),
        StructField("source_file", StringType()),
        StructField("line_number", LongType()),
    ]
)
POSITION = ["event_at", "source_file", "line_number"]
# Years that every warehouse and client can hold.
EARLIEST, LATEST = "1970-01-01", "9999-01-01"


def check(bronze: DataFrame, timezone: str) -> DataFrame:
    """Parse each line and flag those that are no usable event. Grain: one row per bronze line."""
    events = (
        bronze.withColumn("event", F.from_json("raw", EVENT))
        .select("ds", "source_file", "line_number", "raw", "event.*")
        .withColumn("event_at", F.try_to_timestamp("timestamp"))
        .withColumn("product_id", F.col("properties")["product_id"])
    )
    rules = {
        "line_is_event": F.coalesce("event_id", "user_id", "session_id", "event_type", "timestamp").isNotNull(),
        "event_id_not_null": F.trim("event_id") != "",
        "user_id_not_null": F.trim("user_id") != "",
        "timestamp_readable": F.col("event_at").between(F.lit(EARLIEST).cast("timestamp"), F.lit(LATEST).cast("timestamp")),
    }
    local = F.from_utc_timestamp("event_at", timezone)
    return flag(events, rules).select(
        "event_id",
        "user_id",
        "session_id",
        "event_type",
        "page_url",
        "product_id",
        "event_at",
        F.to_date(local).alias("event_date"),
        F.hour(local).alias("event_hour"),
        "source_file",
        "line_number",
        "ds",
        F.col("event_id").alias("key"),
        F.col("event_at").alias("occurred_at"),
        F.concat_ws(":", "source_file", "line_number").alias("origin"),
        F.when(F.col(REJECT_REASON).isNotNull(), F.col("raw")).alias("raw"),
        REJECT_REASON,
    )


JOB = SilverJob(
    table="clickstream",
    key="event_id",
    bronze=BRONZE,
    silver=SCHEMA,
    check=check,
    order=lambda: [F.col(name) for name in [*POSITION, *sorted(set(SCHEMA.fieldNames()) - set(POSITION))]],
    wins_by=POSITION,
    wins="struct(new.event_at, new.source_file, new.line_number)"
    " < struct(old.event_at, old.source_file, old.line_number)",
)

if __name__ == "__main__":
    run_as_script(JOB)
