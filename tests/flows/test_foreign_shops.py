"""Shops with the tables of Odoo, Saleor and Medusa: five days, and after each the marts say what the shop says, to the cent.

Each is connected with the files of docs/howto/shops alone.
"""

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest

from tests.properties.compare import assert_same, warehouse_rows
from tests.properties.runs import daily_run
from tests.support.foreign_shops.expected import ITEMS, MARTS
from tests.support.foreign_shops.kinds import KINDS
from tests.support.foreign_shops.shop import DAYS, ZONE, ForeignShop
from tests.support.platforms import Platform, empty_database


@pytest.fixture(params=KINDS, ids=lambda kind: kind.kind)
def shop(
    request: pytest.FixtureRequest, postgres: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ForeignShop]:
    with empty_database(postgres, tables=False) as dsn:
        made = request.param(dsn)
        made.rows(ITEMS)
        monkeypatch.setenv("SHOP_DSN", dsn)
        monkeypatch.setenv("SHOP_QUERIES", str(made.queries))
        monkeypatch.setenv("SHOP_TIMEZONE", ZONE.key)
        yield made
        made.connection.close()


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_marts_equal_the_shop_after_each_of_five_days(shop: ForeignShop, platform: Platform) -> None:
    for day in DAYS:
        shop.play(day)
        daily_run(day, lambda name, is_complete: None)
        check_marts(shop, platform, day)


def check_marts(shop: ForeignShop, platform: Platform, day: dt.date) -> None:
    with duckdb.connect(platform.warehouse, read_only=True) as warehouse:
        for mart, (columns, query) in MARTS.items():
            due = shop.rows(query)
            assert due
            actual = warehouse_rows(warehouse, f"select {columns} from gold.{mart}")
            assert_same(f"gold.{mart} of {shop.kind} on {day}", actual, due)
