"""The order dates on which silver's orders differ from an earlier version of theirs.

A merge rewrites whole files. So the rows of the files that came are held against those of the files that
went, date by date: by their number, and by a checksum of what the lake's gold is made of.
"""

import datetime as dt

from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from lake.catalog import catalog
from lake.delta import Lake
from spark_jobs.tables import without_gone

ORDERS = "silver.orders"
# The columns of orders that the lake's gold is made of.
USED = ("order_id", "order_number", "order_date", "customer_id", "product_id", "amount")


def changed_dates(
    spark: SparkSession, lake: Lake, schema: StructType, since: int | None
) -> list[dt.date] | None:
    """The dates of orders, in the `schema` of silver, that have come, gone or changed since that version.

    None if nothing tells: silver was made anew, or the files of that version are gone.
    """
    files = lake.replaced_files(ORDERS, since)
    if files is None:
        return None
    gone, came = (_by_date(spark, names, schema) for names in files)
    dates = {date for date in gone.keys() | came.keys() if gone.get(date) != came.get(date)}
    # Only a row that breaks a rule has no date, and none of these is in silver.
    return None if None in dates else sorted(dates)


def _by_date(spark: SparkSession, files: list[str], schema: StructType) -> dict[dt.date, tuple[int, int]]:
    """Number and checksum of the orders in these files, by date."""
    if not files:
        return {}
    rows = without_gone(spark.read.schema(schema).parquet(*files), catalog()["orders"])
    used = [F.col(name) for name in USED if name in rows.columns]
    # A hash leaves out what is null: without the second half a value could change its column unseen.
    checksum = F.bit_xor(F.xxhash64(*used, *[column.isNull() for column in used]))
    sums = rows.groupBy("order_date").agg(F.count("*"), checksum)
    return {date: (number, checksum) for date, number, checksum in sums.collect()}
