"""Two days of a small shop, every row written by hand."""

import datetime as dt
from decimal import Decimal

import pytest

from blocks.settings.failures import PipelineFailure
from flows.daily import daily_ecommerce_pipeline
from tests.support.platforms import Platform
from tests.support.rows import DAY, NEXT_DAY, at, click, customer, order, product, put, write_clicks


def open_shop(platform: Platform) -> None:
    """DAY: 3 customers, 2 products, 24 good orders and one of no amount (4 %), 40 clicks, a broken line."""
    put(platform, "customers", *(customer(number, region=f"region {number}") for number in (1, 2, 3)))
    put(platform, "products", product(1), product(2, category="home", unit_cost=Decimal("1.25")))
    for number in range(1, 25):
        put(
            platform,
            "orders",
            order(
                number,
                customer_id=1 + number % 3,
                product_id=1 + number % 2,
                amount=Decimal("10.00") + Decimal(number) / 100,
                order_date=DAY - dt.timedelta(days=number % 4),
                updated_at=at(DAY, number % 24, 59, 59, 999_999),
            ),
        )
    put(platform, "orders", order(25, amount=Decimal("0.00")))
    write_clicks(platform.clickstream, DAY, [*(click(f"e{number}") for number in range(40)), "not an event"])


def live_next_day(platform: Platform) -> None:
    """NEXT_DAY: new orders, a changed amount, a late row of long ago, a customer who moves, a new product."""
    put(platform, "orders", order(26, order_date=NEXT_DAY, amount=Decimal("99.99"), product_id=3))
    put(platform, "orders", order(1, amount=Decimal("3.33"), status="cancelled", updated_at=at(NEXT_DAY, 0)))
    put(
        platform,
        "orders",
        order(27, order_date=DAY - dt.timedelta(days=30), updated_at=at(NEXT_DAY, 23, 59, 59)),
    )
    put(platform, "orders", order(28, order_date=NEXT_DAY, customer_id=77, updated_at=at(NEXT_DAY)))
    put(platform, "customers", customer(2, region="region 3", updated_at=at(NEXT_DAY)))
    put(platform, "products", product(3, category="garden", updated_at=at(NEXT_DAY)))
    write_clicks(platform.clickstream, NEXT_DAY, [click("n1", timestamp=at(NEXT_DAY).isoformat())])


def fails(day: dt.date) -> PipelineFailure:
    with pytest.raises(PipelineFailure) as failure:
        daily_ecommerce_pipeline(day)
    return failure.value
