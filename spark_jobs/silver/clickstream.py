"""silver.clickstream: one row per event_id, from bronze's raw lines.

The same event may be delivered more than once, in one file or in several days' files: the occurrence with
the earliest timestamp counts, then the first file and line. `event_date` and `event_hour` are in the shop's
time zone.
"""

import datetime as dt

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import (
    ArrayType,
    DateType,
    LongType,
    StringType,
    StructField,
    StructType,
)

from lake.iso_8601 import ISO_8601
from lake.source_table import SourceTable
from spark_jobs.rows import REJECT_REASON, flag, if_rejected
from spark_jobs.silver.job import SilverJob

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
        StructField("properties", StructType([StructField("product_id", StringType())])),
    ]
)
# A line with none of these is no event, whatever else it holds.
IDENTIFYING = ["event_id", "user_id", "session_id", "event_type", "timestamp"]
POSITION = ["event_at", "source_file", "line_number"]
# Times that every warehouse and client can hold, quarantine's included.
YEARS = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC), dt.datetime(9999, 1, 1, tzinfo=dt.UTC))
# By default Apache Spark also reads text that is not JSON.
STRICT_JSON = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
# A half of a surrogate pair is no character: Apache Spark makes it "?", so that distinct ids become one.
ESCAPED_BACKSLASH_OR_PAIR = r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
HALF_PAIR = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"


def flag_lines(bronze: DataFrame, timezone: str) -> DataFrame:
    """Parse each line and flag those that are not a usable event. Grain: one row per bronze line."""
    time = F.when(F.col("timestamp").rlike(ISO_8601), F.try_to_timestamp("timestamp"))
    events = (
        parse(bronze)
        .select("ds", "source_file", "line_number", "raw", "event.*")
        .withColumn("time", time)
        .withColumn(
            "event_at", F.when(F.col("time").between(*(F.lit(year) for year in YEARS)), F.col("time"))
        )
        .withColumn("product_id", F.col("properties.product_id"))
    )
    rules = {
        "line_is_event": F.coalesce(*IDENTIFYING).isNotNull(),
        "event_id_not_null": F.trim("event_id") != "",
        "user_id_not_null": F.trim("user_id") != "",
        "timestamp_readable": F.col("event_at").isNotNull(),
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
        if_rejected("event_id").alias("key"),
        if_rejected("event_at").alias("occurred_at"),
        if_rejected(F.concat_ws(":", "source_file", "line_number")).alias("origin"),
        if_rejected("raw").alias("raw"),
        REJECT_REASON,
    )


def parse(bronze: DataFrame) -> DataFrame:
    """Add `event`: the line as an EVENT, or null if it is not exactly one JSON object."""
    # Apache Spark reads the first object of a line and forgets what follows. As the only element of an array
    # it must be all there is, and it must itself end the line: "{..}]" would end the array early.
    ends_in_object = F.col("raw").rlike(r"\}\s*\z")
    without_pairs = F.regexp_replace("raw", ESCAPED_BACKSLASH_OR_PAIR, "")
    has_half_pair = F.col("raw").contains(r"\u") & without_pairs.rlike(HALF_PAIR)
    as_array = F.when(ends_in_object & ~has_half_pair, F.concat(F.lit("["), "raw", F.lit("]")))
    # A column of its own, since both uses of an expression inside a `when` would parse.
    return bronze.withColumn("objects", F.from_json(as_array, ArrayType(EVENT), STRICT_JSON)).withColumn(
        "event", F.when(F.size("objects") == 1, F.col("objects")[0])
    )


def job(table: SourceTable) -> SilverJob:
    """The job of clicks, which come as lines of JSON; of duplicates the earliest counts."""
    schema = from_arrow_schema(table.schema)
    others = sorted(set(schema.fieldNames()) - set(POSITION))
    return SilverJob(
        table=table.name,
        key=table.key,
        bronze=BRONZE,
        silver=schema,
        flag=flag_lines,
        order=lambda: [F.col(name) for name in [*POSITION, *others]],
        wins_by=POSITION,
        wins="struct(new.event_at, new.source_file, new.line_number)"
        " < struct(old.event_at, old.source_file, old.line_number)",
    )
