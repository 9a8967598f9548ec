"""Stock of a shop whose products have another kind of key: from the message to the alert."""

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from deltalake import Transaction, write_deltalake

from blocks.settings.settings import Settings
from lake import source_table
from lake.catalog import catalog
from lake.delta import Lake
from tasks.inventory.message import SCHEMA
from tasks.inventory.reorder_points import ProductId, read_products
from tasks.inventory.silver import BRONZE, QUARANTINE, SILVER, write_silver
from tasks.inventory.stock_alerts import alerts_about
from tasks.inventory.stock_changes import MARK, record_changes, unsent
from tasks.inventory.stock_levels import Stock
from tasks.ledger.queries import query_records
from tasks.ledger.records import append_records
from tests.support.contracts import keys_of_type
from tests.support.platforms import Platform
from tests.support.rows import DAY, at, order, product

UTC = ZoneInfo("UTC")
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
# Contract -> the key as the shop's database gives it, as messages may spell it, and what is none, and why.
KEYS: dict[str, tuple[ProductId, Any, Any, str]] = {
    "smallint": (7, 7, 40_000, "product_id_is_integer"),
    "integer": (7, 7, "7", "product_id_is_integer"),
    "text": ("SKU 7/b", "SKU 7/b", " ", "product_id_not_null"),
    "uuid": (UUID, UUID.upper(), "7", "product_id_is_uuid"),
}


@contextmanager
def shop(platform: Platform, type_name: str, key: ProductId) -> Iterator[None]:
    """A lake with a product of this key, which sells two pieces a day."""
    with keys_of_type(type_name):
        sold = order(1 if isinstance(key, int) else "o", product_id=key, customer_id=key, quantity=2)
        for table, row in {"products": product(key), "orders": sold}.items():
            rows = pa.Table.from_pylist([row], schema=catalog()[table].schema)
            write_deltalake(platform.lake.uri(f"silver.{table}"), rows)
        yield


@pytest.fixture(autouse=True)
def types(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, kind in {"smallint": pa.int16(), "uuid": pa.string()}.items():
        monkeypatch.setitem(source_table.ARROW_TYPES, name, kind)


def arrive(lake: Lake, first: int, *products: Any, on_hand: int = 3) -> None:
    rows = [
        {
            "topic": "inventory",
            "partition": 0,
            "offset": offset,
            "key": None,
            "sent_at": at(DAY),
            "raw": json.dumps(
                {
                    "event_id": f"e{offset}",
                    "product_id": product_id,
                    "warehouse_id": "north",
                    "quantity_change": -2,
                    "on_hand": on_hand,
                    "event_time": at(DAY).isoformat(),
                }
            ),
        }
        for offset, product_id in enumerate(products, first)
    ]
    write_deltalake(lake.uri(BRONZE), pa.Table.from_pylist(rows, schema=SCHEMA), mode="append")


def values(lake: Lake, name: str, column: str) -> list[Any]:
    table = lake.table(name)
    assert table
    return sorted(table.to_pyarrow_table()[column].to_pylist())


@pytest.mark.parametrize("type_name", KEYS)
def test_from_the_message_to_the_alert(platform: Platform, type_name: str) -> None:
    lake = platform.lake
    key, spelt, wrong, reason = KEYS[type_name]
    with shop(platform, type_name, key):
        arrive(lake, 0, spelt, wrong, None)
        assert write_silver(lake, UTC).rejected == {reason: 2}
        assert values(lake, SILVER, "product_id") == [key]
        with Stock(lake) as stock:
            on_hand = stock.on_hand()
            arrive(lake, 3, spelt, on_hand=0)
            write_silver(lake, UTC)
            [gap] = stock.refresh()
            assert (gap.product_id, [level.product_id for level in stock.levels()]) == (key, [key])
        products = read_products(lake, Settings())
        assert (on_hand, products[key].reorder_point) == ({key: 3}, 20)
        for pieces in (3, 0):
            [change] = record_changes(lake, {key: pieces}, products, "run-1")
            assert (change.product_id, change.label) == (key, f"Product {key} ({key})")
        assert record_changes(lake, {key: 0}, products, "run-2") == []
        again = unsent(lake, dt.datetime.now(dt.UTC))
        assert [(each.product_id, each.state) for each in again] == [(key, "out")]
        [alert] = alerts_about(again, Settings())
        assert alert.title == f"Product {key} ({key}): out of stock"


def test_a_text_key_that_becomes_known_is_released(platform: Platform) -> None:
    lake = platform.lake
    with shop(platform, "text", "known"):
        arrive(lake, 0, "later")
        assert write_silver(lake, UTC).rejected == {"product_known": 1}
        later = pa.Table.from_pylist([product("later")], schema=catalog()["products"].schema)
        write_deltalake(lake.uri("silver.products"), later, mode="append")
        assert write_silver(lake, UTC).rows_out == 1
        assert (values(lake, SILVER, "product_id"), values(lake, QUARANTINE, "reason")) == (["later"], [])


def test_before_the_first_product_every_text_key_is_unknown(platform: Platform) -> None:
    with keys_of_type("text"):
        arrive(platform.lake, 0, "a")
        assert write_silver(platform.lake, UTC).rejected == {"product_known": 1}


def test_a_ledger_of_integers_goes_on_as_text_and_forgets_nothing(platform: Platform) -> None:
    lake = platform.lake
    with shop(platform, "bigint", 7):
        numbered = read_products(lake, Settings())
        assert len(record_changes(lake, {7: 0}, numbered, "run-1")) == 1
    named = {"7": numbered[7].model_copy(update={"product_id": "7"})}
    with keys_of_type("text"):
        assert record_changes(lake, {"7": 0}, named, "run-2") == []
        [change] = record_changes(lake, {"7": 90}, named, "run-2")
        assert (change.kind, change.alert_id) == ("stock-refilled", "stock-refilled/2")
        assert [each.product_id for each in unsent(lake, dt.datetime.now(dt.UTC))] == ["7"]
        append_records(lake, "stock_alerts", [change.model_dump() | {"product_id": "no number"}])
    # And back: what is no number is no product any more.
    with keys_of_type("bigint"):
        assert record_changes(lake, {7: 90}, numbered, "run-3") == []
        assert query_records(lake, "stock_alerts", "select product_id from records order by 1") == [
            (7,), (7,), (None,),
        ]  # fmt: skip
        assert {each.product_id for each in unsent(lake, dt.datetime.now(dt.UTC))} == {7}
    table = lake.table("ops.stock_alerts")
    assert table and table.transaction_version(MARK) == Transaction(MARK, 2).version
