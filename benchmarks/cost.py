"""The cost of small files and of Spark's default shuffle: `python -m benchmarks.cost`.

A lake with many days of small commits is read and upserted into, before and after a compaction, on disk and
on an S3 store of its own; then one Apache Spark does the same gold step with 200 shuffle partitions and with
ours. Prints the tables of docs/cost.md; times are medians.
"""

import argparse
import datetime as dt
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from demo.services import s3
from lake.delta import Lake
from spark_jobs.engine.session import spark_session
from spark_jobs.engine.sizing import Size, size_for
from spark_jobs.gold import daily_sales as gold_daily_sales
from spark_jobs.tables import read_table, upsert

FIRST_DAY = dt.date(2024, 1, 1)
ORDERS = pa.schema(
    [
        ("order_id", pa.int64()),
        ("customer_id", pa.int64()),
        ("product_id", pa.int64()),
        ("order_date", pa.date32()),
        ("amount", pa.decimal128(12, 2)),
        ("quantity", pa.int32()),
        ("status", pa.string()),
        ("updated_at", pa.timestamp("us", tz="UTC")),
    ]
)
NAME = "silver.orders"


def orders_of(day: int, rows: int, first: int | None = None) -> pa.Table:
    """A day's orders; `first` is the first key, if they are not new."""
    date = FIRST_DAY + dt.timedelta(days=day)
    begin = day * rows if first is None else first
    keys = range(begin, begin + rows)
    time_written = dt.datetime.combine(date, dt.time(12), dt.UTC)
    columns = [
        list(keys),
        [key % 5_000 for key in keys],
        [key % 500 for key in keys],
        [date] * rows,
        [Decimal(key % 100_000 + 1) / 100 for key in keys],
        [key % 9 + 1 for key in keys],
        ["pending"] * rows,
        [time_written] * rows,
    ]
    return pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, ORDERS, strict=True)], ORDERS
    )


def median_seconds(repeat: int, work: Callable[[], object]) -> float:
    """The median wall seconds of doing `work` so many times."""
    seconds = []
    for _ in range(repeat):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def small_files(spark: SparkSession, lake: Lake, days: int, rows: int, repeat: int) -> list[tuple[str, ...]]:
    """Files, read seconds, upsert seconds: after `days` daily commits, and after their compaction."""
    for day in range(days):
        write_deltalake(lake.uri(NAME), orders_of(day, rows), mode="append")
    after = iter(range(days, days + 100))
    found = []

    def daily_upsert() -> None:
        """A day's new orders, and as many changes to the orders of the day before."""
        day = next(after)
        batch = pa.concat_tables([orders_of(day, rows), orders_of(day, rows, first=(day - 1) * rows)])
        frame = spark.createDataFrame(batch.to_pandas(), from_arrow_schema(ORDERS))
        done = upsert(spark, frame, lake, NAME, "order_id", ["updated_at"], "new.updated_at > old.updated_at")
        assert done.written == 2 * rows

    def read() -> None:
        read_table(spark, lake, NAME).groupBy("order_date").agg({"amount": "sum"}).collect()

    read()
    for state in ("before", "after"):
        if state == "after":
            DeltaTable(lake.uri(NAME)).optimize.compact(target_size=256 << 20)
        files = len(DeltaTable(lake.uri(NAME)).file_uris())
        seconds = [median_seconds(repeat, read), median_seconds(repeat, daily_upsert)]
        found.append((state, str(files), *(f"{each:.2f} s" for each in seconds)))
    return found


def shuffles(spark: SparkSession, lake: Lake, repeat: int) -> list[tuple[str, ...]]:
    """Seconds of the gold step by shuffle partitions: Spark's default without and with AQE, and ours."""
    customers = spark.range(5_000).selectExpr("id as customer_id", "'north' as region")
    products = spark.range(500).selectExpr("id as product_id", "'toys' as category")

    def build() -> None:
        gold_daily_sales.transform(read_table(spark, lake, NAME), customers, products).collect()

    ours = size_for(lake.bytes_since(NAME))
    found: list[tuple[str, ...]] = []
    for title, size, is_adaptive in (
        ("200, without AQE", Size(200, 1), False),
        ("200, AQE", Size(200, 1), True),
        (f"{ours.shuffle_partitions} (by input), AQE", ours, True),
    ):
        size.apply(spark)
        spark.conf.set("spark.sql.adaptive.enabled", str(is_adaptive).lower())
        # No broadcast: on real volumes these joins shuffle.
        spark.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")
        build()
        found.append((title, f"{median_seconds(repeat, build):.2f} s"))
    return found


def show(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print a Markdown table."""
    print(f"\n{title}\n")
    for row in (header, tuple("---" for _ in header), *rows):
        print("| " + " | ".join(row) + " |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--days", type=int, default=180)
    parser.add_argument("--rows", type=int, default=2_000, help="orders a day")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    header = ("", "files", "read all", "daily upsert")
    with tempfile.TemporaryDirectory(prefix="cost-") as name:
        folder = Path(name)
        store = folder / "store"
        try:
            os.environ.update(s3.start(store) | {"AWS_ALLOW_HTTP": "true"})
            sizes = (options.days, options.rows, options.repeat)
            on_disk, on_s3 = Lake((folder / "lake").as_uri()), Lake(f"s3://{s3.BUCKET}/lake")
            sail = spark_session("")
            show("On disk", header, small_files(sail, on_disk, *sizes))
            show("On S3 (SeaweedFS, this machine)", header, small_files(sail, on_s3, *sizes))
            rows = shuffles(spark_session("local[2]"), on_disk, options.repeat)
            show("gold.daily_sales on Apache Spark, local[2]", ("shuffle partitions", "seconds"), rows)
        finally:
            s3.remove(store)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
