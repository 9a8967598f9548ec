"""What the plan's table says of its columns' sources, held against the plan: one value is changed at a time."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from blocks.settings.settings import Settings
from lake.catalog import OPTIONAL_TABLES, catalog
from lake.delta import Lake
from tasks.reorder.plan import write_plan
from tasks.reorder.policy_table import COUNTED_BY, KEY, SOURCES, policy_schema, read_policies
from tests.support.rows import DAY, at, order

Silver = dict[str, list[dict[str, Any]]]
TERMS = {
    KEY: 1,
    "lead_time_days": Decimal(3),
    "pack_size": 6,
    "minimum_order": 5,
    "on_order": 3,
    "service_level": Decimal("0.9"),
    "updated_at": at(DAY),
}
# To what a value is changed in all rows; of dates, from every day to every third.
CHANGED: dict[str, Any] = {
    "orders.quantity": 5,
    "orders.order_date": None,
    "orders.status": "cancelled",
    "orders.amount": Decimal("7.00"),
    "orders.customer_id": 2,
    "orders.order_number": "A",
    "orders.updated_at": at(DAY, 13),
    "replenishment.lead_time_days": Decimal(9),
    "replenishment.pack_size": 4,
    "replenishment.minimum_order": 9,
    "replenishment.on_order": 7,
    "replenishment.service_level": Decimal("0.99"),
    "replenishment.updated_at": at(DAY, 13),
}
KEYS = {f"orders.{KEY}", f"replenishment.{KEY}", "orders.order_id"}


def sold(every_days: int = 1) -> list[dict[str, Any]]:
    days = [DAY - dt.timedelta(days=every_days * number) for number in range(1, 101)]
    return [order(number, quantity=2, order_date=day) for number, day in enumerate(days, 1)]


def planned(folder: Path, silver: Silver) -> dict[str, Any]:
    """The plan of product 1."""
    lake = Lake(folder.as_uri())
    for table, rows in silver.items():
        schema = catalog()[table].silver_schema
        write_deltalake(lake.uri(f"silver.{table}"), pa.Table.from_pylist(rows, schema=schema))
    write_plan(Settings(), lake)
    [row] = read_policies(lake).to_pylist()
    return row


def changed(source: str) -> Silver:
    silver = {"orders": sold(), "replenishment": [TERMS]}
    if source == "orders.order_date":
        return {**silver, "orders": sold(every_days=3)}
    table, _, column = source.partition(".")
    return {**silver, table: [{**row, column: CHANGED[source]} for row in silver[table]]}


def test_the_table_says_what_its_columns_are_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    monkeypatch.setenv(OPTIONAL_TABLES, "replenishment")
    monkeypatch.setenv("REORDER_FORECAST", "true")
    columns = {
        f"{table}.{column.name}"
        for table in ("orders", "replenishment")
        for column in catalog()[table].columns
    }
    assert CHANGED.keys() | KEYS == columns
    before = planned(tmp_path / "before", {"orders": sold(), "replenishment": [TERMS]})
    assert before["forecast_model"] == "weekdays"
    found: dict[str, set[str]] = {name: set() for name in policy_schema().names if name != KEY}
    for source in CHANGED:
        after = planned(tmp_path / source, changed(source))
        for name in found:
            if after[name] != before[name]:
                found[name].add(source)
    of_orders = {name for name in found if any(each.startswith("orders.") for each in SOURCES[name])}
    assert found == {name: {*SOURCES[name], *(COUNTED_BY if name in of_orders else ())} for name in found}
    assert SOURCES[KEY] == (f"orders.{KEY}", f"replenishment.{KEY}")
