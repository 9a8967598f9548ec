"""Reorder points from the lake: how fast products sell, and the stock below which they are short."""

import datetime as dt
from typing import Any

import pytest

from blocks.settings.settings import Settings
from tasks.inventory.reorder_points import Product, read_products
from tests.support.platforms import Platform
from tests.support.rows import DAY, order, product
from tests.support.silver_tables import Silver


def days_before(number: int) -> dt.date:
    return DAY - dt.timedelta(days=number)


def sold(silver: Silver, *orders: tuple[int, int, int], **values: Any) -> None:
    """Orders of (product, pieces, days ago)."""
    rows = [
        order(number, product_id=product_id, quantity=pieces, order_date=days_before(days_ago), **values)
        for number, (product_id, pieces, days_ago) in enumerate(orders, len(values) * 1000 + 1)
    ]
    silver.append("silver.orders", *rows)


@pytest.fixture
def silver(platform: Platform) -> Silver:
    made = Silver(platform)
    made.append("silver.products", product(1), product(2), product(3, product_name=None))
    return made


def rates(silver: Silver) -> dict[int, tuple[float, int]]:
    return {
        key: (each.units_per_day, each.reorder_point)
        for key, each in read_products(silver.lake, Settings()).items()
    }


def test_the_rate_is_of_the_last_28_days_of_orders(silver: Silver) -> None:
    sold(silver, (1, 28, 0), (1, 28, 27), (1, 500, 28), (2, 1, 3))
    # 56 pieces in 28 days; one piece in 28 days is 0.0357 a day, and ten days of it less than one piece.
    assert rates(silver) == {1: (2.0, 20), 2: (0.0357, 1), 3: (0.0, 0)}


def test_a_young_shop_has_fewer_days(silver: Silver) -> None:
    sold(silver, (1, 6, 0), (2, 3, 2))
    assert rates(silver)[1] == (2.0, 20)


def test_cancelled_orders_sell_nothing_but_make_the_shop_older(silver: Silver) -> None:
    sold(silver, (1, 6, 0))
    sold(silver, (1, 100, 2), status="cancelled")
    assert rates(silver)[1] == (2.0, 20)


def test_lead_time_and_safety_stock_can_be_changed(silver: Silver, monkeypatch: pytest.MonkeyPatch) -> None:
    sold(silver, (1, 7, 0), (2, 1, 9))
    monkeypatch.setenv("LEAD_TIME_DAYS", "9.5")
    monkeypatch.setenv("SAFETY_STOCK_DAYS", "0.5")
    # 0.7 x 10 is exactly 7, which it is not in binary.
    assert rates(silver)[1] == (0.7, 7)


def test_without_orders_nothing_sells_and_without_products_there_is_nothing(
    silver: Silver, platform: Platform
) -> None:
    assert rates(silver) == {1: (0, 0), 2: (0, 0), 3: (0, 0)}
    silver.delete("silver.products", "true")
    assert read_products(platform.lake, Settings()) == {}


def test_a_lake_without_tables_has_no_products(platform: Platform) -> None:
    assert read_products(platform.lake, Settings()) == {}


@pytest.mark.parametrize(
    ("on_hand", "reorder_point", "state"),
    [(0, 10, "out"), (0, 0, "out"), (1, 0, "ok"), (9, 10, "low"), (10, 10, "ok")],
)
def test_what_a_stock_is_called(on_hand: int, reorder_point: int, state: str) -> None:
    product = Product(product_id=1, product_name="mug", units_per_day=1, reorder_point=reorder_point)
    assert product.state(on_hand) == state


def test_days_of_cover() -> None:
    product = Product(product_id=1, product_name="mug", units_per_day=2.5, reorder_point=25)
    assert product.days_of_cover(10) == 4
    assert product.model_copy(update={"units_per_day": 0}).days_of_cover(10) is None
