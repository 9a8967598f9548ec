"""The present rows of silver, as later steps ask for them: by DuckDB and by Arrow, after a merge of delta-rs."""

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from lake.present_rows import present_rows
from tests.support.rows import DAY, at, order

ORDERS = catalog()["orders"]


def orders(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=ORDERS.silver_schema)


@pytest.fixture
def merged(lake: Lake) -> Lake:
    """Three orders, one of which has been cancelled since; a fourth is gone."""
    uri = lake.uri("silver.orders")
    write_deltalake(uri, orders(order(1), order(2), order(3, status="shipped"), order(4)))
    changes = orders(order(2, status="cancelled"), order(4) | {"deleted_at": at(DAY)})
    merge = DeltaTable(uri).merge(changes, "old.order_id = new.order_id", "new", "old", streamed_exec=False)
    merge.when_matched_update_all().execute()
    [file] = DeltaTable(uri).file_uris()
    assert pa.types.is_string_view(pq.read_schema(file).field("status").type), (
        "no longer: comparable() may go"
    )
    return lake


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("status != 'cancelled'", [1, 3]),
        ("status = 'cancelled'", [2]),
        ("status in ('pending', 'shipped') and order_id > 1", [3]),
        ("order_number is null", [1, 2, 3]),
    ],
)
def test_text_can_be_compared_in_a_where(merged: Lake, condition: str, keys: list[int]) -> None:
    with connect() as connection:
        connection.register("orders", present_rows(merged, ORDERS))
        found = connection.execute(f"select order_id from orders where {condition} order by 1").fetchall()
    assert [key for (key,) in found] == keys


def test_the_columns_are_of_the_contract_s_types(merged: Lake) -> None:
    found = present_rows(merged, ORDERS).to_table(filter=pads.field("status") == "shipped")
    assert found.schema.field("status").type == pa.string()
    assert found["order_id"].to_pylist() == [3]
