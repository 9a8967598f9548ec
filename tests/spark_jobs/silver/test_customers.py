"""silver.customers: what it takes to be one, and that the newest version counts."""

from pyspark.sql import SparkSession

from lake.catalog import catalog
from lake.delta import Lake
from spark_jobs.silver.jobs import silver_job
from tests.support.rows import DAY, NEXT_DAY, at, customer
from tests.support.spark_tables import reasons, run, table, totals, write_bronze

JOB = silver_job("customers")
COLUMNS = catalog()["customers"].schema.names


def test_each_row_rule(spark: SparkSession) -> None:
    cases = [
        (customer(1), None),
        (customer(0), None),
        (customer(1, customer_name=None, customer_segment="", region=None), None),
        (customer(1) | {"customer_id": None}, "customer_id_not_null"),
        (customer(1, updated_at=None), "updated_at_not_null"),
    ]
    assert reasons(spark, JOB, [row for row, _ in cases]) == [expected for _, expected in cases]


def test_the_newest_version_counts_whatever_comes_first(spark: SparkSession, lake: Lake) -> None:
    moved = customer(1, region="south", updated_at=at(NEXT_DAY))
    for batch in ([moved, customer(2)], [customer(1, updated_at=at(DAY))], [customer(1, updated_at=None)]):
        write_bronze(lake, "customers", batch)
        run(spark, lake, JOB)
    expected = [tuple(moved.values()), tuple(customer(2).values())]
    assert table(spark, lake, "silver.customers", *COLUMNS) == expected
    assert totals(run(spark, lake, JOB, full=True)) == ("customers", 4, 2, 1, 1)
    assert table(spark, lake, "silver.customers", *COLUMNS) == expected
    assert table(spark, lake, "quarantine.customers", "key", "reason", "occurred_at", "ds") == [
        ("1", "updated_at_not_null", None, None)
    ]
