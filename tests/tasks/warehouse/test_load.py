"""Loading the warehouse: changed rows only, and nothing twice."""

import shutil
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import Field as DeltaField
from deltalake import write_deltalake
from deltalake.schema import PrimitiveType

from lake.catalog import catalog
from tests.support.contracts import lake_only
from tests.support.rows import DAY, at, customer, order
from tests.support.silver_tables import Silver, load, moved, query, rejected


def load_ids(staged: Path) -> dict[int, int]:
    return dict(query(staged, "select order_id, load_id from silver.orders"))


def test_the_first_load_brings_everything(silver: Silver, staged: Path) -> None:
    assert load(staged) == {"orders": 2, "customers": 1, "products": 1, "clickstream": 2}
    assert query(staged, "select order_id, amount, status, load_id from silver.orders order by 1") == [
        (1, order(1)["amount"], "pending", 1),
        (2, order(2)["amount"], "pending", 1),
    ]


def test_lineage_of_the_lake_stays_in_the_lake(silver: Silver, staged: Path) -> None:
    load(staged)
    columns = [row[0] for row in query(staged, "describe silver.clickstream")]
    assert "event_id" in columns
    assert not {"source_file", "line_number"} & set(columns)


def test_loading_again_changes_nothing(silver: Silver, staged: Path) -> None:
    load(staged)
    before = query(staged, "select * from silver.orders order by order_id")
    assert load(staged) == {}
    assert query(staged, "select * from silver.orders order by order_id") == before


def test_a_load_touches_changed_rows_only(silver: Silver, staged: Path) -> None:
    load(staged)
    # As a MERGE leaves it: the changed row, and its neighbour rewritten into the same file.
    silver.replace("silver.orders", order(1), order(2, status="shipped"), order(3))
    assert load(staged) == {"orders": 2}
    assert load_ids(staged) == {1: 1, 2: 2, 3: 2}


def test_of_a_rewritten_file_the_rows_count_that_were_read_since(silver: Silver, staged: Path) -> None:
    """Rows read at the newest moment, too: one reading brings many, and a load may hold some of them."""
    early, late, later = at(DAY, 10), at(DAY, 11), at(DAY, 12)
    silver.replace("silver.orders", order(1, read_at=early), order(2, read_at=late))
    load(staged)
    shipped = [order(key, status="shipped", read_at=read_at) for key, read_at in ((1, early), (2, late))]
    silver.replace("silver.orders", *shipped, order(3, read_at=later))
    assert load(staged) == {"orders": 2}
    assert query(staged, "select order_id, status from silver.orders order by 1") == [
        (1, "pending"),
        (2, "shipped"),
        (3, "pending"),
    ]
    assert load(staged, full=True) == {"orders": 1}


def test_a_row_read_by_a_clock_that_was_set_back_a_little_is_loaded(silver: Silver, staged: Path) -> None:
    """As after a failover of the shop's database."""
    silver.replace("silver.orders", order(1, read_at=at(DAY, 11)))
    load(staged)
    silver.append("silver.orders", order(2, read_at=at(DAY, 10, 56)))
    assert load(staged) == {"orders": 1}


def test_a_change_to_or_from_null_is_a_change(silver: Silver, staged: Path) -> None:
    load(staged)
    silver.replace("silver.customers", customer(1, region=None))
    assert load(staged) == {"customers": 1}
    silver.replace("silver.customers", customer(1))
    assert load(staged) == {"customers": 1}


def test_only_a_full_load_removes_rows_that_silver_lost(silver: Silver, staged: Path) -> None:
    load(staged)
    silver.delete("silver.orders", "order_id = 2")
    assert load(staged) == {}
    assert load_ids(staged) == {1: 1, 2: 1}
    assert load(staged, full=True) == {}
    assert load_ids(staged) == {1: 1}


def test_a_full_load_finds_rows_that_differ_from_the_lake(silver: Silver, staged: Path) -> None:
    load(staged)
    query(staged, "update silver.orders set amount = 0 where order_id = 2")
    assert load(staged) == {}
    assert load(staged, full=True) == {"orders": 1}
    assert load_ids(staged) == {1: 1, 2: 3}


def test_a_load_that_fails_leaves_the_staged_copy_as_it_was(silver: Silver, staged: Path) -> None:
    load(staged)
    silver.append("silver.orders", order(3))
    write_deltalake(
        silver.lake.uri("silver.products"),
        pa.table({"product_id": ["no number"]}),
        mode="overwrite",
        schema_mode="overwrite",
    )
    with pytest.raises(duckdb.Error):
        load(staged)
    assert load_ids(staged) == {1: 1, 2: 1}


def test_a_lake_that_was_begun_anew_is_compared_as_a_whole(silver: Silver, staged: Path) -> None:
    load(staged)
    version = silver.lake.table("silver.orders").version()
    shutil.rmtree(silver.lake.uri("silver.orders").removeprefix("file://"))
    silver.append("silver.orders", order(2), order(3))
    assert silver.lake.table("silver.orders").version() <= version
    assert load(staged) == {"orders": 1}
    assert load_ids(staged) == {2: 1, 3: 2}


def test_a_column_that_the_warehouse_lacks_is_added_and_filled(silver: Silver, staged: Path) -> None:
    silver.append("silver.orders", order(3, amount=None))
    silver.append("quarantine.orders", rejected(1, "orders", "7", at(DAY)))
    load(staged)
    before = query(staged, "from silver.orders order by order_id")
    # As a version that did not know them has left it; its rows are otherwise the lake's.
    for column in ("amount", "order_date", "updated_at"):
        query(staged, f"alter table silver.orders drop column {column}")
    query(staged, "alter table quarantine.orders drop column raw")
    assert load(staged) == {"orders": 3}
    columns = ", ".join(catalog()["orders"].silver_schema.names)
    assert query(staged, f"select {columns}, 1 from silver.orders order by order_id") == before
    assert load_ids(staged) == {1: 2, 2: 2, 3: 2}
    assert query(staged, "select raw from quarantine.orders") == [("raw 1",)]
    assert load(staged) == {}


def test_a_warehouse_without_the_brokers_order_gets_it(silver: Silver, staged: Path) -> None:
    silver.append("silver.inventory", moved("a", 7), moved("b", 8))
    with lake_only("inventory", "topic", "partition", "offset"):
        load(staged)
    # One comes in the meantime.
    silver.append("silver.inventory", moved("c", 9))
    assert load(staged) == {"inventory": 3}
    order = "event_id, kafka_topic, kafka_partition, kafka_offset"
    assert query(staged, f"select {order} from silver.inventory order by event_id") == [
        ("a", "inventory", 2, 7),
        ("b", "inventory", 2, 8),
        ("c", "inventory", 2, 9),
    ]


def test_a_column_that_the_lake_got_is_added_where_rows_did_not_change(silver: Silver, staged: Path) -> None:
    load(staged)
    table = silver.lake.table("silver.customers")
    table.alter.add_columns(DeltaField("birthday", PrimitiveType("date")))
    assert load(staged) == {}
    assert query(staged, "select customer_id, birthday, load_id from silver.customers") == [(1, None, 1)]


def test_a_row_that_leaves_quarantine_leaves_the_warehouse_too(silver: Silver, staged: Path) -> None:
    silver.append(
        "quarantine.orders", *(rejected(number, "orders", str(number), at(DAY)) for number in (7, 8))
    )
    load(staged)
    assert query(staged, "select key from quarantine.orders order by 1") == [("7",), ("8",)]
    silver.delete("quarantine.orders", "key = '7'")
    silver.append("quarantine.orders", rejected(9, "orders", "9", at(DAY)))
    load(staged)
    assert query(staged, "select key from quarantine.orders order by 1") == [("8",), ("9",)]
    assert query(staged, "select key from quarantine.open_rows order by 1") == [("8",), ("9",)]
