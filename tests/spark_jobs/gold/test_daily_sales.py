"""gold.daily_sales: to the cent, with members unknown, and rebuilt only when silver has changed."""

from decimal import Decimal

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType

from lake.delta import Lake
from spark_jobs.gold import job as gold
from spark_jobs.gold.daily_sales import JOB, transform
from spark_jobs.tables import overwrite
from tests.support.rows import DAY, NEXT_DAY, customer, order, product
from tests.support.spark_tables import frame, schema_of, table, values


def silver(spark: SparkSession, orders: list, customers: list, products: list) -> tuple[DataFrame, ...]:
    return (
        frame(spark, schema_of("orders"), orders),
        frame(spark, schema_of("customers"), customers),
        frame(spark, schema_of("products"), products),
    )


def test_sales_by_date_category_and_region(spark: SparkSession) -> None:
    orders = [
        order(1, amount=Decimal("10.00")),
        order(2, amount=Decimal("0.01"), status="cancelled"),  # all statuses count
        order(3, amount=Decimal("5.00"), customer_id=2),
        order(4, amount=Decimal("7.00"), order_date=NEXT_DAY),
        order(5, amount=Decimal("1000000.00"), customer_id=9, product_id=9),
        order(6, amount=Decimal("2.00"), customer_id=3, product_id=2),
    ]
    customers = [customer(1), customer(2), customer(3, region=None)]
    products = [product(1), product(2, category=None)]
    assert values(transform(*silver(spark, orders, customers, products))) == [
        (DAY, "toys", "north", 3, Decimal("15.01"), Decimal("5.00"), 2),
        (DAY, "unknown", "unknown", 2, Decimal("1000002.00"), Decimal("500001.00"), 2),
        (NEXT_DAY, "toys", "north", 1, Decimal("7.00"), Decimal("7.00"), 1),
    ]


def test_a_blank_member_is_unknown(spark: SparkSession) -> None:
    orders = [order(number, customer_id=number, product_id=number) for number in (1, 2, 3)]
    customers = [customer(1, region=""), customer(2, region="  "), customer(3, region=None)]
    products = [product(1, category=None), product(2, category=""), product(3, category=" ")]
    assert values(transform(*silver(spark, orders, customers, products))) == [
        (DAY, "unknown", "unknown", 3, Decimal("30.00"), Decimal("10.00"), 3)
    ]


@pytest.mark.parametrize(
    ("amounts", "total", "average"),
    [
        (["0.01", "0.02"], "0.03", "0.02"),  # half a cent goes up
        (["0.01", "0.01", "0.02"], "0.04", "0.01"),
        (["2.00", "0.01", "0.00"], "2.01", "0.67"),
        (["1000000.00"] * 3, "3000000.00", "1000000.00"),
        (["0.10"] * 7, "0.70", "0.10"),  # binary fractions would not add up
    ],
)
def test_money_is_exact(spark: SparkSession, amounts: list[str], total: str, average: str) -> None:
    orders = [order(number, amount=Decimal(amount)) for number, amount in enumerate(amounts)]
    sales = transform(*silver(spark, orders, [customer(1)], [product(1)]))
    assert values(sales, "total_revenue", "avg_order_value") == [(Decimal(total), Decimal(average))]


def test_rows_of_one_basket_are_one_order(spark: SparkSession) -> None:
    orders = [
        order(1, amount=Decimal("10.00"), order_number="A"),
        order(2, amount=Decimal("5.01"), order_number="A"),
        order(3, amount=Decimal("1.00"), order_number="A", product_id=2),  # in two categories
        order(4, amount=Decimal("2.00"), order_number=None),
        order(5, amount=Decimal("2.00"), order_number=" "),  # blank is none
    ]
    products = [product(1), product(2, category="home")]
    assert values(transform(*silver(spark, orders, [customer(1)], products))) == [
        (DAY, "home", "north", 1, Decimal("1.00"), Decimal("1.00"), 1),
        (DAY, "toys", "north", 3, Decimal("19.01"), Decimal("6.34"), 1),
    ]


def test_a_silver_without_order_numbers_is_orders_of_one_row(spark: SparkSession) -> None:
    orders, customers, products = silver(spark, [order(1), order(2)], [customer(1)], [product(1)])
    sales = transform(orders.drop("order_number"), customers, products)
    assert values(sales, "total_orders", "avg_order_value") == [(2, Decimal("10.00"))]


@pytest.mark.parametrize("ids", [("o-1", "o-2"), ("7f0c", "7F0C")])
def test_keys_may_be_text(spark: SparkSession, ids: tuple[str, str]) -> None:
    texts = [StructField(name, StringType()) for name in ("order_id", "customer_id", "product_id")]
    named = {field.name: field for field in texts}
    tables = [
        frame(spark, StructType([named.get(field.name, field) for field in schema_of(table)]), rows)
        for table, rows in {
            "orders": [order(each, customer_id="c", product_id="p") for each in ids],
            "customers": [customer("c")],
            "products": [product("p")],
        }.items()
    ]
    assert values(transform(*tables), "category", "region", "total_orders") == [("toys", "north", 2)]


def test_nothing_sold_is_no_row(spark: SparkSession) -> None:
    assert values(transform(*silver(spark, [], [customer(1)], [product(1)]))) == []


def write_silver(spark: SparkSession, lake: Lake, orders: list, customers: list) -> None:
    names = ("silver.orders", "silver.customers", "silver.products")
    for name, rows in zip(names, silver(spark, orders, customers, [product(1)]), strict=True):
        overwrite(rows, lake, name)


def test_build_follows_silver_and_rests_when_silver_rests(spark: SparkSession, lake: Lake) -> None:
    write_silver(spark, lake, [order(1)], [customer(1)])
    assert gold.build(spark, lake, JOB) == 1
    assert table(spark, lake, "gold.daily_sales", "region", "total_revenue") == [("north", Decimal("10.00"))]
    version = DeltaTable(lake.uri("gold.daily_sales")).version()
    # A commit without rows is no change, either.
    lake.mark_progress("silver.orders", "bronze", 7)
    assert gold.build(spark, lake, JOB) == 1
    assert DeltaTable(lake.uri("gold.daily_sales")).version() == version
    # A customer who moves takes old orders along.
    overwrite(frame(spark, schema_of("customers"), [customer(1, region="south")]), lake, "silver.customers")
    assert gold.build(spark, lake, JOB) == 1
    assert table(spark, lake, "gold.daily_sales", "region", "total_revenue") == [("south", Decimal("10.00"))]
