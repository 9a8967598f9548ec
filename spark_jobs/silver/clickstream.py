"""silver.clickstream: one row per event_id, from bronze's raw lines.

A line is one JSON object, or several: one after the other, or as an array, which may also go over several
lines. Each is an event, or rejected, on its own.

The same event may be delivered more than once, in one file or in several days' files: the occurrence with
the earliest timestamp counts, then the first file and line. `event_date` and `event_hour` are in the shop's
time zone.
"""

from functools import reduce

from pyspark.sql import Column, DataFrame
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

from lake.iso_8601 import ISO_8601, ISO_8601_VARIANT, REWRITES
from lake.json_text import BLANK_CHARACTERS, BLANKS, long_number_pattern, number_pattern
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
YEARS = ("1970-01-01 00:00:00Z", "9999-01-01 00:00:00Z")
# By default Apache Spark also reads text that is not JSON.
STRICT_JSON = {"allowSingleQuotes": "false", "allowNonNumericNumbers": "false"}
# A half of a surrogate pair is no character: Apache Spark makes it "?", so that distinct ids become one.
ESCAPED_BACKSLASH_OR_PAIR = r"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
HALF_PAIR = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
NUMBER = number_pattern("event_id", "user_id", "session_id", "product_id")
LONG_NUMBER = long_number_pattern("_id")
# The beginning of an object with a key. It never matches inside a text: after a quote that ends one comes no
# letter.
OPENS = rf'\{{{BLANKS}"[A-Za-z_$@]'
TOUCHING = rf"(\}}){BLANKS}({OPENS})"
SEPARATED = rf"(\}}){BLANKS},{BLANKS}({OPENS})"
TOUCHING_OR_SEPARATED = rf"\}}{BLANKS},?{BLANKS}{OPENS}"
# What an array has before its first object and after each.
BRACKETS = rf"(?s)\A{BLANKS}\[?(.*?)[\],]?{BLANKS}\z"
OBJECTS = StructType([StructField("objects", ArrayType(StringType()))])


def flag_lines(bronze: DataFrame, timezone: str) -> DataFrame:
    """Parse each line and flag what is not a usable event. Grain: one row per object in a bronze line.

    A line without one is a row, too.
    """
    time = _time("timestamp")
    # Not as datetimes: of each of these Spark Connect asks the active session, which may be another engine's.
    first, last = (F.lit(year).cast("timestamp") for year in YEARS)
    readable = F.when(F.col("time").between(first, last), F.col("time"))
    local = F.from_utc_timestamp("event_at", timezone)
    events = (
        parse(split_lines(bronze))
        .select("ds", "source_file", "line_number", "part", "part_raw", "raw", "event.*")
        .withColumn("time", time)
        .withColumn("event_at", readable)
        .withColumn("event_date", F.to_date(local))
        .withColumn("session_id", _unless_blank("session_id"))
        .withColumn("product_id", _unless_blank("properties.product_id"))
    )
    rules = {
        "line_is_event": F.coalesce(*IDENTIFYING).isNotNull(),
        "event_id_not_null": _unless_blank("event_id").isNotNull(),
        "user_id_not_null": _unless_blank("user_id").isNotNull(),
        "timestamp_readable": F.col("event_at").isNotNull(),
        # By the day of its folder, and one more, since a folder may be of a day in another zone: the outcome
        # is the same whenever it is computed.
        "timestamp_not_in_future": F.col("event_date") <= F.date_add("ds", 1),
    }
    return flag(events, rules).select(
        "event_id",
        "user_id",
        "session_id",
        "event_type",
        "page_url",
        "product_id",
        "event_at",
        "event_date",
        F.hour(local).alias("event_hour"),
        "source_file",
        "line_number",
        "ds",
        if_rejected("event_id").alias("key"),
        if_rejected("event_at").alias("occurred_at"),
        if_rejected(F.concat_ws(":", "source_file", "line_number", "part")).alias("origin"),
        if_rejected(F.coalesce("part_raw", "raw")).alias("raw"),
        REJECT_REASON,
    )


def split_lines(bronze: DataFrame) -> DataFrame:
    """Add `text`, an object of the line, its long numbers in id fields quoted; `part` and `part_raw`.

    Of a line with several objects each is a row: `part` is its number, and `part_raw` its text. Else both are
    null.
    """
    raw = F.col("raw")
    # Null, as `texts` is, for nearly every line: a copy of each would cost more than all else here.
    quoted = F.when(raw.rlike(LONG_NUMBER), F.regexp_replace(raw, NUMBER, r'$1"$2"'))
    is_plain = raw.startswith("{") & raw.endswith("}") & ~raw.rlike(TOUCHING_OR_SEPARATED)
    rows = (
        bronze.withColumn("quoted", quoted)
        .withColumn("odd", F.when(~is_plain, F.coalesce("quoted", "raw")))
        # Asked first: Apache Spark would take `odd` apart for every use of it in `_texts`.
        .withColumn("texts", F.when(F.col("odd").isNotNull(), _texts(F.col("odd"))))
        .withColumn("is_several", F.size("texts") > 1)
        .select("*", F.posexplode_outer("texts").alias("position", "found"))
    )
    return rows.select(
        "ds",
        "source_file",
        "line_number",
        "raw",
        F.when(F.col("is_several"), F.col("position") + 1).alias("part"),
        F.when(F.col("is_several"), F.col("found")).alias("part_raw"),
        F.coalesce("found", "quoted", "raw").alias("text"),
    )


def _texts(line: Column) -> Column:
    """The objects of a line as texts; if it is no valid JSON, its pieces between them."""
    one_array = F.regexp_replace(line, TOUCHING, "$1,$2")
    bare = F.regexp_replace(one_array, BRACKETS, "$1")
    pieces = F.split(F.regexp_replace(bare, SEPARATED, "$1\n$2"), "\n")
    in_object = F.concat(F.lit('{"objects":['), bare, F.lit("]}"))
    objects = F.from_json(F.when(~_has_half_pair(line), in_object), OBJECTS, STRICT_JSON)["objects"]
    # The pieces are as they were written, and the objects as an engine writes them: they are only used where
    # objects hold arrays of objects, which the pieces cut.
    return (
        F.when(F.size(objects) == 1, F.array(bare))
        .when(F.size(objects) != F.size(pieces), objects)
        .otherwise(pieces)
    )


def parse(rows: DataFrame) -> DataFrame:
    """Add `event`: `text` as an EVENT, or null if it is not exactly one JSON object."""
    # Apache Spark reads the first object of a text and forgets what follows. As the only element of an array
    # it must be all there is, and it must itself end the text: "{..}]" would end the array early.
    ends_in_object = F.col("text").rlike(r"\}\s*\z")
    is_whole = ends_in_object & ~_has_half_pair(F.col("text"))
    as_array = F.when(is_whole, F.concat(F.lit("["), "text", F.lit("]")))
    # A column of its own, since both uses of an expression inside a `when` would parse.
    return rows.withColumn("objects", F.from_json(as_array, ArrayType(EVENT), STRICT_JSON)).withColumn(
        "event", F.when(F.size("objects") == 1, F.col("objects")[0])
    )


def _has_half_pair(text: Column) -> Column:
    return text.contains(r"\u") & F.regexp_replace(text, ESCAPED_BACKSLASH_OR_PAIR, "").rlike(HALF_PAIR)


def _time(name: str) -> Column:
    variant = reduce(
        lambda text, rewrite: F.regexp_replace(text, F.lit(rewrite[0]), F.lit(rewrite[1])),
        REWRITES,
        F.upper(name),
    )
    return F.when(F.col(name).rlike(ISO_8601), F.try_to_timestamp(name)).when(
        F.col(name).rlike(ISO_8601_VARIANT), F.try_to_timestamp(variant)
    )


def _unless_blank(name: str) -> Column:
    return F.when(F.btrim(name, F.lit(BLANK_CHARACTERS)) != "", F.col(name))


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
