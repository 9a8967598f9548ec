"""The dates that the lake's gold computes anew: all that differ, and no others."""

import datetime as dt
from decimal import Decimal

import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import from_arrow_schema

from lake.catalog import catalog
from lake.delta import Lake
from spark_jobs.gold import job as gold
from spark_jobs.gold.changed_dates import USED, changed_dates
from spark_jobs.gold.daily_sales import JOB
from spark_jobs.gold.jobs import GOLD_JOBS
from spark_jobs.tables import overwrite
from tests.support.rows import DAY, NEXT_DAY, at, customer, order, product
from tests.support.spark_tables import frame, schema_of, table

ORDERS_SCHEMA = from_arrow_schema(catalog()["orders"].silver_schema)
LATER = NEXT_DAY + dt.timedelta(days=1)
ORDERS = [order(1), order(2, order_date=NEXT_DAY), order(3, order_date=LATER, customer_id=None)]


def write(spark: SparkSession, lake: Lake, *orders: dict) -> int:
    """Make silver hold these orders; returns its version."""
    overwrite(frame(spark, ORDERS_SCHEMA, list(orders)), lake, "silver.orders")
    return DeltaTable(lake.uri("silver.orders")).version()


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (ORDERS, []),
        ([*ORDERS, order(4, order_date=NEXT_DAY)], [NEXT_DAY]),
        (ORDERS[1:], [DAY]),
        ([order(1, amount=Decimal("10.01")), *ORDERS[1:]], [DAY]),
        ([order(1, order_number="A"), *ORDERS[1:]], [DAY]),
        ([order(1, order_date=LATER), *ORDERS[1:]], [DAY, LATER]),
        # The same values, in other columns.
        ([*ORDERS[:2], order(3, order_date=LATER, customer_id=1, product_id=None)], [LATER]),
        # Of what gold does not show.
        ([order(1, status="cancelled"), *ORDERS[1:]], []),
    ],
)
def test_dates_of_orders_that_differ(spark: SparkSession, lake: Lake, now: list, expected: list) -> None:
    since = write(spark, lake, *ORDERS)
    write(spark, lake, *now)
    assert changed_dates(spark, lake, ORDERS_SCHEMA, since) == expected


def test_an_order_that_is_gone_changes_its_date(spark: SparkSession, lake: Lake) -> None:
    since = write(spark, lake, *ORDERS)
    write(spark, lake, {"order_id": 1, "deleted_at": at(DAY)}, *ORDERS[1:])
    assert changed_dates(spark, lake, ORDERS_SCHEMA, since) == [DAY]


def test_a_compaction_changes_no_date(spark: SparkSession, lake: Lake) -> None:
    since = write(spark, lake, *ORDERS[:2])
    frame(spark, ORDERS_SCHEMA, ORDERS[2:]).write.format("delta").mode("append").save(
        lake.uri("silver.orders")
    )
    silver = DeltaTable(lake.uri("silver.orders"))
    silver.optimize.compact()
    assert changed_dates(spark, lake, ORDERS_SCHEMA, since) == [LATER]


@pytest.mark.parametrize("since", [None, 99])
def test_a_version_that_is_not_known_tells_nothing(
    spark: SparkSession, lake: Lake, since: int | None
) -> None:
    write(spark, lake, *ORDERS)
    assert changed_dates(spark, lake, ORDERS_SCHEMA, since) is None


def test_a_version_whose_files_are_gone_tells_nothing(spark: SparkSession, lake: Lake) -> None:
    since = write(spark, lake, *ORDERS)
    write(spark, lake, *ORDERS, order(4))
    silver = DeltaTable(lake.uri("silver.orders"))
    silver.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    assert changed_dates(spark, lake, ORDERS_SCHEMA, since) is None


@pytest.mark.parametrize("job", GOLD_JOBS.values(), ids=GOLD_JOBS)
def test_gold_is_made_of_no_other_columns_of_orders(spark: SparkSession, job: gold.GoldJob) -> None:
    """Else a change of one would leave old figures."""
    orders = frame(spark, ORDERS_SCHEMA, ORDERS)
    others = [
        frame(spark, schema_of(name), rows)
        for name, rows in (("customers", [customer(1)]), ("products", [product(1)]))
    ]
    used = orders.select(*(name for name in USED if name in orders.columns))
    assert job.transform(used, *others).count() == job.transform(orders, *others).count() > 0


def test_gold_takes_over_the_other_dates(spark: SparkSession, lake: Lake) -> None:
    write(spark, lake, *ORDERS)
    overwrite(frame(spark, schema_of("customers"), [customer(1)]), lake, "silver.customers")
    overwrite(frame(spark, schema_of("products"), [product(1)]), lake, "silver.products")
    gold.build(spark, lake, JOB)
    # A figure that only a computation would correct.
    wrong = [(DAY, "toys", "north", 9, Decimal("9.00"), Decimal("1.00"), 9)]
    overwrite(spark.createDataFrame(wrong, JOB.schema), lake, "gold.daily_sales")
    _mark(lake)
    write(spark, lake, *ORDERS, order(4, order_date=NEXT_DAY, amount=Decimal("2.00")))
    assert gold.build(spark, lake, JOB) == 2
    assert table(spark, lake, "gold.daily_sales", "order_date", "total_revenue") == [
        (DAY, Decimal("9.00")),
        (NEXT_DAY, Decimal("12.00")),
    ]
    # A customer may be in any order.
    overwrite(frame(spark, schema_of("customers"), [customer(1, region="south")]), lake, "silver.customers")
    assert gold.build(spark, lake, JOB) == 3
    assert table(spark, lake, "gold.daily_sales", "order_date", "region", "total_revenue") == [
        (DAY, "south", Decimal("10.00")),
        (NEXT_DAY, "south", Decimal("12.00")),
        (LATER, "unknown", Decimal("10.00")),
    ]


def _mark(lake: Lake) -> None:
    for source in gold.SILVER:
        lake.mark_progress("gold.daily_sales", source, DeltaTable(lake.uri(source)).version())
