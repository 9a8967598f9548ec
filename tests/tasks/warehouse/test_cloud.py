"""Loading and publishing a warehouse in the cloud, over HTTP: the same promises as of the DuckDB file.

What the emulators cannot show is in docs/warehouses.md.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from blocks.settings.settings import Settings
from tasks.warehouse.access import live_warehouse, staged_warehouse, warehouse_kind
from tasks.warehouse.bigquery import BigQuerySession
from tasks.warehouse.interface import Warehouse
from tasks.warehouse.load import load_warehouse
from tasks.warehouse.snowflake import SnowflakeSession
from tests.support.contracts import lake_only
from tests.support.dialects import faults
from tests.support.platforms import Platform, lake_here
from tests.support.rows import DAY, at, customer, order
from tests.support.silver_tables import Silver, moved, rejected

SESSIONS = {"snowflake": SnowflakeSession, "bigquery": BigQuerySession}


@pytest.fixture
def staged(platform: Platform, cloud: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Warehouse]:
    """A warehouse to load; whatever is said to it must be its own SQL, not only the emulator's."""
    said: list[str] = []
    for name in ("execute", "rows"):
        monkeypatch.setattr(SESSIONS[cloud], name, _noting(getattr(SESSIONS[cloud], name), said))
    with staged_warehouse(Settings()) as made:
        assert type(made) is warehouse_kind(Settings())
        yield made
    assert said
    assert {sql: found for sql in said if (found := faults(sql, cloud))} == {}


def _noting(method: Callable, said: list[str]) -> Callable:
    def noting(self: Any, sql: str) -> Any:
        said.append(sql)
        return method(self, sql)

    return noting


def load(staged: Warehouse, full: bool = False) -> dict[str, int]:
    return {table: rows for table, rows in load_warehouse.fn(staged, lake_here(), full).rows.items() if rows}


def query(staged: Warehouse, statement: str) -> list[tuple]:
    """Rows as Python has them, times in UTC without a zone."""
    with staged.session() as session:
        rows = session.rows(statement).read_all().to_pylist()
    return [tuple(map(_plain, row.values())) for row in rows]


def _plain(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value


def execute(staged: Warehouse, *statements: str) -> None:
    with staged.session() as session:
        for statement in statements:
            session.execute(statement)


def test_rows_are_put_in_place_of_those_with_the_same_keys(staged: Warehouse) -> None:
    def rows(*records: tuple[str, str | None, int]) -> pa.Table:
        schema = pa.schema(
            [("name", "string"), ("part", "string"), ("n", "int64"), ("made_at", pa.timestamp("us", "UTC"))]
        )
        return pa.Table.from_pylist(
            [dict(zip(schema.names, (*each, at(DAY, 1)), strict=True)) for each in records], schema
        )

    with staged.session() as session:
        session.execute("create schema if not exists ops")
        session.replace("ops.things", rows(("x", None, 1), ("y", "a", 2)))
        session.put("ops.things", ["name", "part", "made_at"], rows(("x", None, 3), ("y", "b", 4)))
        session.put("ops.things", ["name", "part", "made_at"], rows())
    found = query(staged, "select name, part, n from ops.things order by n")
    assert found == [("y", "a", 2), ("x", None, 3), ("y", "b", 4)]


def test_a_history_of_loads(silver: Silver, staged: Warehouse) -> None:
    """Each load on top of the one before: a warehouse of its own for each would take a second more."""
    orders = "select order_id, status, load_id from silver.orders order by order_id"
    assert load(staged) == {"orders": 2, "customers": 1, "products": 1, "clickstream": 2}
    assert query(staged, orders) == [(1, "pending", 1), (2, "pending", 1)]

    # Loading again changes nothing.
    assert load(staged) == {}
    assert load(staged, full=True) == {}
    assert query(staged, orders) == [(1, "pending", 1), (2, "pending", 1)]

    # As a MERGE leaves it: the changed row, and its neighbour rewritten into the same file.
    silver.replace("silver.orders", order(1), order(2, status="shipped"), order(3))
    assert load(staged) == {"orders": 2}
    assert query(staged, orders) == [(1, "pending", 1), (2, "shipped", 4), (3, "pending", 4)]

    # To NULL and back.
    silver.replace("silver.customers", customer(1, region=None))
    assert load(staged) == {"customers": 1}
    assert query(staged, "select region from silver.customers") == [(None,)]
    silver.replace("silver.customers", customer(1))
    assert load(staged) == {"customers": 1}
    assert query(staged, "select region from silver.customers") == [("north",)]

    # Only a full load removes what silver lost, and finds what was changed behind its back.
    silver.delete("silver.orders", "order_id = 2")
    assert load(staged) == {}
    assert query(staged, "select count(*) as n from silver.orders") == [(3,)]
    execute(staged, "update silver.orders set amount = 0 where order_id = 1")
    assert load(staged) == {}
    assert load(staged, full=True) == {"orders": 1}
    assert query(staged, "select order_id, amount, load_id from silver.orders order by order_id") == [
        (1, Decimal("10.00"), 9),
        (3, Decimal("10.00"), 4),
    ]
    assert query(staged, "select count(*) as n from ops.loads") == [(11,)]
    with staged.session() as session:
        assert not [name for name in session.tables("ops") if name.startswith("incoming")]


def test_values_arrive_as_they_are(silver: Silver, staged: Warehouse) -> None:
    last = dt.datetime(2024, 3, 4, 23, 59, 59, 999_999, tzinfo=dt.UTC)
    silver.append(
        "silver.orders",
        order(7, amount=Decimal("9999999999.99"), status='it\'s "Ü", \\N\n2', updated_at=last),
        order(8, amount=None, quantity=None, status=None, order_date=None, updated_at=None),
    )
    load(staged)
    columns = "amount, quantity, status, order_date, updated_at"
    assert query(staged, f"select {columns} from silver.orders where order_id >= 7 order by order_id") == [
        (Decimal("9999999999.99"), 1, 'it\'s "Ü", \\N\n2', DAY, last.replace(tzinfo=None)),
        (None, None, None, None, None),
    ]
    with staged.session() as session:
        columns = set(session.tables("silver")["clickstream"])
    assert "event_id" in columns
    assert not {"source_file", "line_number"} & columns
    with staged.session() as session:
        without_rows = session.rows("select order_id, amount from silver.orders where 1 = 0").schema
    assert pa.types.is_integer(without_rows.field("order_id").type)
    assert pa.types.is_decimal(without_rows.field("amount").type)
    assert without_rows.field("amount").type.scale >= 2


def test_a_load_that_died_half_way_is_made_good(silver: Silver, staged: Warehouse) -> None:
    load(staged)
    silver.append("silver.orders", order(3))
    load(staged)
    # As if the second load had ended between the MERGE and its record.
    execute(staged, "update ops.loads set lake_version = lake_version - 1 where table_name = 'silver.orders'")
    assert load(staged) == {}
    assert query(staged, "select order_id, load_id from silver.orders order by 1") == [(1, 1), (2, 1), (3, 2)]


def test_columns_that_the_warehouse_lacks_are_added_and_filled(
    silver: Silver, staged: Warehouse, cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A load that dies between the two leaves it to the next."""
    silver.append("silver.inventory", moved("i", 7), moved("j", 8))
    with (
        lake_only("orders", "order_date", "amount", "quantity", "status"),
        lake_only("clickstream", "event_at"),
        lake_only("inventory", "topic", "partition", "offset"),
    ):
        load(staged)
    with monkeypatch.context() as death:
        death.setattr(SESSIONS[cloud], "upsert", None)
        with pytest.raises(TypeError):
            load(staged)
    assert query(
        staged, "select order_date, amount, quantity, status from silver.orders where order_id = 1"
    ) == [(None, None, None, None)]
    assert load(staged) == {"orders": 2, "clickstream": 2, "inventory": 2}
    columns = "order_id, order_date, amount, quantity, status, load_id"
    assert query(staged, f"select {columns} from silver.orders order by order_id") == [
        (1, DAY, Decimal("10.00"), 1, "pending", 3),
        (2, DAY, Decimal("10.00"), 1, "pending", 3),
    ]
    noon = at(DAY).replace(tzinfo=None)
    assert query(staged, "select event_id, event_at from silver.clickstream order by 1") == [
        ("a", noon),
        ("b", noon),
    ]
    broker = "kafka_topic, kafka_partition, kafka_offset"
    assert query(staged, f"select event_id, {broker} from silver.inventory order by 1") == [
        ("i", "inventory", 2, 7),
        ("j", "inventory", 2, 8),
    ]
    assert load(staged) == {}


def test_open_quarantine(silver: Silver, staged: Warehouse) -> None:
    """Order 1 is valid as of 12 o'clock, order 7 never was; click `a` is closed whenever it happened."""
    cases = [("orders", "1", 11), ("orders", "1", 13), ("orders", "7", None), ("orders", "7", 9)]
    cases += [("orders", None, 10), ("clickstream", "a", 23), ("clickstream", "z", 1)]
    for number, (table, key, hour) in enumerate(cases):
        time = None if hour is None else at(DAY, hour)
        silver.append(f"quarantine.{table}", rejected(number, table, key, time))
    load(staged)
    open_rows = query(staged, "select source, key, raw from quarantine.open_rows")
    assert sorted(open_rows, key=str) == [
        ("clickstream", "z", "raw 6"),
        ("orders", "1", "raw 1"),
        ("orders", "7", "raw 3"),
        ("orders", None, "raw 4"),
    ]


def marts(staged: Warehouse, schema: str) -> list[tuple]:
    return query(staged, f"select a.id, b.id as other from {schema}.a cross join {schema}.b order by 1, 2")


def build(staged: Warehouse, number: int, column: str = "bigint") -> None:
    """Two marts as dbt leaves them, and what it may leave beside them."""
    execute(
        staged,
        *(
            f"create or replace table gold_staged.{mart} as select cast({number} as {column}) as id"
            for mart in ("a", "b", "a__dbt_tmp")
        ),
    )


def test_readers_see_what_was_published_and_nothing_else(staged: Warehouse) -> None:
    build(staged, 1)
    staged.publish()
    assert marts(staged, "gold") == [(1, 1)]
    build(staged, 2)
    assert marts(staged, "gold") == [(1, 1)]
    staged.publish()
    assert marts(staged, "gold") == [(2, 2)]
    with staged.session() as session:
        assert set(session.tables("gold")) == {"a", "b"}


def test_a_publish_moves_the_rows_of_what_was_built_and_of_what_is_new(staged: Warehouse) -> None:
    build(staged, 1)
    staged.publish(["a"])
    assert marts(staged, "gold") == [(1, 1)]
    build(staged, 2)
    staged.publish(["b"])
    assert marts(staged, "gold") == [(1, 2)]
    staged.publish([])
    assert marts(staged, "gold") == [(1, 2)]


def test_a_publish_that_fails_half_way_leaves_all_as_it_was(
    staged: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(staged, 1)
    staged.publish()
    build(staged, 2)
    with staged.session() as session:
        together = type(session).together

    def fail_at_the_end(self: Any, statements: list[str]) -> None:
        assert len(statements) == 4
        together(self, [*statements, "insert into gold.b (id) select id from gold.no_such_table"])

    monkeypatch.setattr(type(session), "together", fail_at_the_end)
    with pytest.raises(Exception, match="no_such_table|NO_SUCH_TABLE"):
        staged.publish()
    assert marts(staged, "gold") == [(1, 1)]


# BigQuery's copy jobs bring the new columns; the emulator's keep the old ones.
@pytest.mark.parametrize("cloud", ["snowflake"], indirect=True)
def test_a_mart_whose_columns_changed_is_published_too(staged: Warehouse) -> None:
    build(staged, 1)
    staged.publish()
    build(staged, 2, column="string")
    staged.publish()
    assert marts(staged, "gold") == [("2", "2")]


def test_a_run_begins_with_what_readers_see(staged: Warehouse) -> None:
    """Whatever a run that was not published has left: changed marts, new ones, and its note of the build."""
    build(staged, 1)
    execute(staged, "create or replace table ops.last_build as select 'first' as inputs")
    staged.publish()
    build(staged, 2)
    execute(
        staged,
        "create or replace table gold_staged.c as select 2 as id",
        "create or replace table ops.last_build as select 'second' as inputs",
    )
    staged.restore()
    assert marts(staged, "gold_staged") == [(1, 1)]
    assert query(staged, "select inputs from ops.last_build") == [("first",)]
    with staged.session() as session:
        assert set(session.tables("gold_staged")) == {"a", "b"}


def test_the_live_warehouse_is_what_readers_see(staged: Warehouse) -> None:
    build(staged, 1)
    staged.publish()
    build(staged, 2)
    with live_warehouse(Settings()) as live:
        assert marts(live, live.gold) == [(1, 1)]
        live.publish()
        assert marts(live, live.gold) == [(1, 1)]
