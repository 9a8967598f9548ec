"""silver.products: what it takes to be one, and that the newest version counts."""

from decimal import Decimal

from pyspark.sql import SparkSession

from lake.catalog import catalog
from lake.delta import Lake
from spark_jobs.silver.jobs import silver_job
from tests.support.rows import DAY, NEXT_DAY, at, product
from tests.support.spark_tables import reasons, run, table, totals, write_bronze

JOB = silver_job("products")
COLUMNS = catalog()["products"].schema.names


def test_each_row_rule(spark: SparkSession) -> None:
    cases = [
        (product(1), None),
        (product(1, unit_cost=None, category="", product_name=None), None),
        (product(1) | {"product_id": None}, "product_id_not_null"),
        (product(1, updated_at=None), "updated_at_not_null"),
    ]
    assert reasons(spark, JOB, [row for row, _ in cases]) == [expected for _, expected in cases]


def test_the_newest_version_counts_whatever_comes_first(spark: SparkSession, lake: Lake) -> None:
    dearer = product(1, unit_cost=Decimal("4.01"), updated_at=at(NEXT_DAY))
    write_bronze(lake, "products", [dearer, product(1, updated_at=at(DAY)), product(2, unit_cost=None)])
    assert totals(run(spark, lake, JOB)) == ("products", 3, 2, 1, 0)
    write_bronze(lake, "products", [product(1, updated_at=at(DAY, 13)), product(3)])
    assert totals(run(spark, lake, JOB)) == ("products", 2, 1, 1, 0)
    assert table(spark, lake, "silver.products", *COLUMNS) == [
        tuple(row.values()) for row in (dearer, product(2, unit_cost=None), product(3))
    ]
