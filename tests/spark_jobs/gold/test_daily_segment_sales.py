"""gold.daily_segment_sales: orders and revenue by date and the shop's own segment."""

from decimal import Decimal

from pyspark.sql import SparkSession

from spark_jobs.gold.daily_segment_sales import transform
from tests.support.rows import DAY, NEXT_DAY, customer, order, product
from tests.support.spark_tables import frame, schema_of, values


def test_orders_and_revenue_by_date_and_segment(spark: SparkSession) -> None:
    orders = [
        order(1, amount=Decimal("0.10")),
        order(2, amount=Decimal("0.20"), customer_id=2),
        order(3, amount=Decimal("1000000.00"), customer_id=3),
        order(4, amount=Decimal("4.00"), customer_id=9),
        order(5, amount=Decimal("5.00"), customer_id=4, status="cancelled"),
        order(6, amount=Decimal("6.00"), order_date=NEXT_DAY),
    ]
    customers = [
        customer(1),
        customer(2),
        customer(3, customer_segment="basic"),
        customer(4, customer_segment=None),
    ]
    segments = transform(
        frame(spark, schema_of("orders"), orders),
        frame(spark, schema_of("customers"), customers),
        frame(spark, schema_of("products"), [product(1)]),
    )
    assert values(segments) == [
        (DAY, "basic", 1, Decimal("1000000.00")),
        (DAY, "gold", 2, Decimal("0.30")),
        (DAY, "unknown", 2, Decimal("9.00")),
        (NEXT_DAY, "gold", 1, Decimal("6.00")),
    ]


def test_no_orders_are_no_segments(spark: SparkSession) -> None:
    segments = transform(
        frame(spark, schema_of("orders"), []),
        frame(spark, schema_of("customers"), [customer(1)]),
        frame(spark, schema_of("products"), [product(1)]),
    )
    assert values(segments) == []
