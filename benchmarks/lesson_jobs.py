"""The lesson's Spark jobs, one process each: `python -m benchmarks.lesson_jobs JOB YYYY-MM-DD`.

What the lesson prescribes is kept, slow or not: JDBC read without partitions, `DATE(updated_at)` as the
filter, `dropDuplicates` on the whole event, Parquet overwrite, a second `count()` for the log line.
Where the lesson's code cannot run or is not printed, the smallest sensible thing stands instead:
customers and products are read where the extract jobs wrote them (the lesson reads silver tables that
nothing writes), daily sales join customers (the lesson groups by `region` without them), and
`process_orders`, which the lesson names only, keeps valid rows once per key.
"""

import argparse
import datetime as dt
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from psycopg2.extensions import parse_dsn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import MapType, StringType, StructField, StructType, TimestampType

from benchmarks.contender import Inputs

DRIVER_VERSION = "42.7.8"
STATUSES = ("pending", "processing", "shipped", "delivered", "cancelled")

CLICK = StructType(
    [
        StructField("event_id", StringType()),
        StructField("user_id", StringType()),
        StructField("session_id", StringType()),
        StructField("event_type", StringType()),
        StructField("page_url", StringType()),
        StructField("timestamp", TimestampType()),
        StructField("properties", MapType(StringType(), StringType())),
    ]
)


def jdbc_driver() -> Path:
    """The PostgreSQL JDBC driver: `POSTGRES_JDBC_JAR`, else from the local Maven repository, fetched if absent."""
    if given := os.environ.get("POSTGRES_JDBC_JAR"):
        return Path(given)
    artifact = Path("org", "postgresql", "postgresql", DRIVER_VERSION, f"postgresql-{DRIVER_VERSION}.jar")
    jar = Path.home() / ".m2" / "repository" / artifact
    if not jar.exists():
        coordinates = f"org.postgresql:postgresql:{DRIVER_VERSION}"
        subprocess.run(
            ["mvn", "-q", "dependency:get", f"-Dartifact={coordinates}", "-Dtransitive=false"], check=True
        )
    return jar


def extract(spark: SparkSession, inputs: Inputs, table: str, day: str | None, output: Path) -> None:
    """Read a table, or the rows of it changed on `day`, and write them as Parquet."""
    source = f"(select * from {table} where date(updated_at) = '{day}') as t" if day else table
    parts = parse_dsn(inputs.dsn)
    rows = spark.read.jdbc(
        url=f"jdbc:postgresql://{parts['host']}:{parts.get('port', 5432)}/{parts['dbname']}",
        table=source,
        properties={"user": parts["user"], "password": parts["password"], "driver": "org.postgresql.Driver"},
    )
    rows.write.mode("overwrite").parquet(str(output))
    print(f"{table}: {rows.count()} rows")


def extract_orders(spark: SparkSession, inputs: Inputs, day: str) -> None:
    """Orders changed on the day."""
    extract(spark, inputs, "orders", day, inputs.lake / "bronze" / "orders" / day)


def extract_customers(spark: SparkSession, inputs: Inputs, day: str) -> None:
    """All customers, every day."""
    extract(spark, inputs, "customers", None, inputs.lake / "bronze" / "customers")


def extract_products(spark: SparkSession, inputs: Inputs, day: str) -> None:
    """All products, every day."""
    extract(spark, inputs, "products", None, inputs.lake / "bronze" / "products")


def process_clickstream(spark: SparkSession, inputs: Inputs, day: str) -> None:
    """The day's events, each once, flattened and partitioned by date and hour."""
    events = (
        spark.read.schema(CLICK)
        .json(str(inputs.clickstream / day))
        .filter(F.col("event_id").isNotNull() & F.col("user_id").isNotNull())
        .withColumn("event_date", F.to_date("timestamp"))
        .withColumn("event_hour", F.hour("timestamp"))
        .withColumn("product_id", F.col("properties").getItem("product_id"))
        .dropDuplicates(["event_id"])
        .select(
            *("event_id", "user_id", "session_id", "event_type", "page_url"),
            *("product_id", "event_date", "event_hour", "timestamp"),
        )
    )
    output = inputs.lake / "bronze" / "clickstream" / day
    events.write.mode("overwrite").partitionBy("event_date", "event_hour").parquet(str(output))
    print(f"clickstream: {events.count()} events")


def process_orders(spark: SparkSession, inputs: Inputs, day: str) -> None:
    """The day's valid orders, one row per key."""
    has_keys = (
        F.col("order_id").isNotNull() & F.col("customer_id").isNotNull() & F.col("product_id").isNotNull()
    )
    in_range = (F.col("amount") > 0) & F.col("quantity").between(1, 100)
    orders = (
        spark.read.parquet(str(inputs.lake / "bronze" / "orders" / day))
        .filter(has_keys & in_range & F.col("status").isin(*STATUSES))
        .dropDuplicates(["order_id"])
    )
    orders.write.mode("overwrite").parquet(str(inputs.lake / "silver" / "orders" / day))
    print(f"orders: {orders.count()} rows")


def aggregate_daily(spark: SparkSession, inputs: Inputs, day: str) -> None:
    """The day's sales by category and region, and by customer segment."""

    def read(layer: str, *path: str) -> DataFrame:
        return spark.read.parquet(str(inputs.lake.joinpath(layer, *path)))

    orders = read("silver", "orders", day).filter(F.col("order_date") == dt.date.fromisoformat(day))
    customers = read("bronze", "customers").drop("updated_at")
    products = read("bronze", "products").drop("updated_at")
    daily_sales = (
        orders.join(products, "product_id")
        .join(customers, "customer_id")
        .groupBy("order_date", "category", "region")
        .agg(
            F.count("order_id").alias("order_count"),
            F.sum("amount").alias("total_revenue"),
            F.avg("amount").alias("avg_order_value"),
            F.countDistinct("customer_id").alias("unique_customers"),
        )
    )
    customer_segments = (
        orders.join(customers, "customer_id")
        .groupBy("customer_segment")
        .agg(F.count("order_id").alias("orders"), F.sum("amount").alias("revenue"))
    )
    output = inputs.lake / "silver" / "daily_aggregates" / day
    daily_sales.write.mode("overwrite").parquet(str(output / "daily_sales"))
    customer_segments.write.mode("overwrite").parquet(str(output / "customer_segments"))


Job = Callable[[SparkSession, Inputs, str], None]
EXTRACTS: dict[str, Job] = {
    job.__name__: job for job in (extract_orders, extract_customers, extract_products, process_clickstream)
}
TRANSFORMS: dict[str, Job] = {job.__name__: job for job in (process_orders, aggregate_daily)}


def session(name: str) -> SparkSession:
    """A Spark of its own in a fresh JVM, with Spark's defaults."""
    builder = (
        SparkSession.builder.master("local[*]")
        .appName(name)
        .config("spark.jars", str(jdbc_driver()))
        .config("spark.sql.adaptive.enabled", "true")
        # The page server is of no use here, and concurrent jobs would look for a free port.
        .config("spark.ui.enabled", "false")
    )
    return builder.getOrCreate()


def main() -> None:
    """Run one job."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("job", choices=[*EXTRACTS, *TRANSFORMS])
    parser.add_argument("day")
    arguments = parser.parse_args()
    spark = session(arguments.job)
    (EXTRACTS | TRANSFORMS)[arguments.job](spark, Inputs.from_environment(), arguments.day)
    spark.stop()


if __name__ == "__main__":
    main()
