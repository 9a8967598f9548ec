"""What the contracts and Spark's jobs say of a column's sources, held against what the jobs do.

One value of the source is changed at a time: the columns that change with it are those that are made of it.
"""

import copy
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from lake.catalog import catalog
from lake.delta import Lake
from spark_jobs.gold.job import GoldJob
from spark_jobs.gold.jobs import GOLD_JOBS
from spark_jobs.silver.clickstream import BRONZE, flag_lines
from tasks.inventory.message import SCHEMA
from tasks.inventory.silver import BRONZE as MESSAGES
from tasks.inventory.silver import SILVER, write_silver
from tasks.lineage.graph import Ref
from tasks.lineage.lake import MADE, lake_datasets
from tests.support.rows import DAY, NEXT_DAY, at, click, customer, order, product
from tests.support.spark_tables import frame, schema_of, values

UTC = ZoneInfo("UTC")
Sources = dict[str, set[str]]
Silver = dict[str, list[dict[str, Any]]]
# Two orders of one group, so that it can be seen what is summed and what is counted.
SHOP: Silver = {
    "orders": [order(1, order_number="A"), order(2, order_number="A")],
    "customers": [customer(1), customer(2)],
    "products": [product(1), product(2)],
}
# To what each value is changed: where it can be, to that of the other row.
CHANGED: dict[str, Any] = {
    "orders.order_id": 2,
    "orders.order_number": "B",
    "orders.customer_id": 2,
    "orders.product_id": 2,
    "orders.order_date": NEXT_DAY,
    "orders.amount": Decimal("20.00"),
    "orders.quantity": 9,
    "orders.status": "cancelled",
    "orders.updated_at": at(DAY, 13),
    "customers.customer_name": "Ada",
    "customers.customer_segment": "new",
    "customers.region": "south",
    "customers.updated_at": at(DAY, 13),
    "products.product_name": "lamp",
    "products.category": "home",
    "products.unit_cost": Decimal("5.00"),
    "products.updated_at": at(DAY, 13),
}


def trials(source: str, shop: Silver) -> Iterator[Silver]:
    """The shop with the value changed in its first row, and in all of them."""
    table, _, column = source.partition(".")
    for rows in (1, len(shop[table])):
        changed = copy.deepcopy(shop)
        for row in changed[table][:rows]:
            row[column] = CHANGED[source]
        yield changed


def sales(spark: SparkSession, job: GoldJob, shop: Silver) -> list[tuple[Any, ...]]:
    return values(job.transform(*(frame(spark, schema_of(table), rows) for table, rows in shop.items())))


def affected(spark: SparkSession, job: GoldJob, source: str, shop: Silver) -> set[str]:
    """The columns that change with a value while the rows stay the same group."""
    [before] = sales(spark, job, shop)
    return {
        column
        for trial in trials(source, shop)
        for rows in [sales(spark, job, trial)]
        # Otherwise it has parted them: it decides which rows meet, and says nothing of the columns.
        if len(rows) == 1
        for column, old, new in zip(job.schema.fieldNames(), before, rows[0], strict=True)
        if old != new
    }


@pytest.mark.parametrize("name", sorted(GOLD_JOBS))
def test_a_gold_job_says_what_its_columns_are_made_of(sail: SparkSession, name: str) -> None:
    job = GOLD_JOBS[name]
    without_numbers = {**SHOP, "orders": [{**row, "order_number": None} for row in SHOP["orders"]]}
    found: Sources = {column: set() for column in job.schema.fieldNames()}
    for source in CHANGED:
        shop = without_numbers if source == "orders.order_id" else SHOP
        for column in affected(sail, job, source, shop):
            found[column].add(source)
    assert found == {column: set(sources) for column, sources in job.sources.items()}


def test_every_column_of_the_shop_has_been_changed() -> None:
    keys = {"customers.customer_id", "products.product_id"}
    assert CHANGED.keys() | keys == {
        f"{table}.{column.name}" for table in SHOP for column in catalog()[table].columns
    }


def declared(table: str) -> Sources:
    """What each column of silver is made of, as the lineage has it, without what the pipeline makes itself."""
    [silver] = [each for each in lake_datasets() if each.name == f"lake.silver.{table}"]
    return {
        name: {ref.column for ref in silver.columns[name].direct} for name in silver.names if name not in MADE
    }


def difference(fields: dict[str, dict[str, Any]], before: dict[str, Any]) -> Sources:
    """The fields by the columns that change with each of them."""
    found: Sources = {name: set() for name in before if name not in MADE}
    for field, row in fields.items():
        for name in found:
            if row[name] != before[name]:
                found[name].add(field)
    return found


def test_a_line_is_read_as_the_contract_says(sail: SparkSession) -> None:
    later = at(NEXT_DAY, 13).isoformat()
    lines = {
        "": click("e"),
        "event_id": click("f"),
        "user_id": click("e", user_id="2"),
        "session_id": click("e", session_id="s2"),
        "event_type": click("e", event_type="purchase"),
        "page_url": click("e", page_url="/cart"),
        "timestamp": click("e", timestamp=later),
        "properties.product_id": click("e", properties={"product_id": "2"}),
    }
    names = [column.name for column in catalog()["clickstream"].columns]
    rows = {}
    for field, line in lines.items():
        bronze = frame(sail, BRONZE, [{"ds": DAY, "source_file": "f", "line_number": 1, "raw": line}])
        [found] = values(flag_lines(bronze, "UTC"), *names)
        rows[field] = dict(zip(names, found, strict=True))
    assert difference(rows, rows.pop("")) == declared("clickstream")


def test_a_message_is_read_as_the_contract_says(tmp_path: Path) -> None:
    event = {
        "event_id": "e",
        "product_id": 1,
        "warehouse_id": "north",
        "quantity_change": -2,
        "on_hand": 8,
        "event_time": at(DAY).isoformat(),
    }
    message = {"topic": "inventory", "partition": 0, "offset": 0, "key": "k", "sent_at": at(NEXT_DAY, 14)}
    changes: dict[str, Any] = {
        "": None,
        **{"event_id": "f", "product_id": 2, "warehouse_id": "south", "quantity_change": -3, "on_hand": 7},
        "event_time": at(NEXT_DAY, 13).isoformat(),
        **{"topic": "stock", "partition": 1, "offset": 9, "sent_at": at(NEXT_DAY, 15)},
    }
    rows = {}
    for number, (field, value) in enumerate(changes.items()):
        lake = Lake((tmp_path / str(number)).as_uri())
        products = pa.table({"product_id": pa.array([1, 2], pa.int64())})
        write_deltalake(lake.uri("silver.products"), products)
        raw = json.dumps(event | ({field: value} if field in event else {}))
        row = message | ({field: value} if field in message else {}) | {"raw": raw}
        write_deltalake(lake.uri(MESSAGES), pa.Table.from_pylist([row], schema=SCHEMA))
        write_silver(lake, UTC)
        silver = lake.table(SILVER)
        assert silver
        [rows[field]] = silver.to_pyarrow_table().to_pylist()
    assert difference(rows, rows.pop("")) == declared("inventory")


def test_a_change_log_keeps_its_columns_and_the_newest_version_counts() -> None:
    datasets = {dataset.name: dataset for dataset in lake_datasets()}
    amount = datasets["lake.silver.orders"].columns["amount"]
    assert amount.direct == [Ref("bronze.orders", "amount")]
    assert amount.indirect == [Ref("bronze.orders", "read_at"), Ref("bronze.orders", "updated_at")]
    assert datasets["silver.orders"].columns["amount"].direct == [Ref("lake.silver.orders", "amount")]
    # Renamed for BigQuery, and left out of the warehouse.
    assert datasets["silver.inventory"].columns["kafka_offset"].direct == [
        Ref("lake.silver.inventory", "offset")
    ]
    assert "source_file" not in datasets["silver.clickstream"].columns


@pytest.mark.parametrize("table", sorted(catalog()))
def test_the_lineage_has_the_columns_that_the_tables_have(table: str) -> None:
    datasets = {dataset.name: dataset for dataset in lake_datasets()}
    facts = catalog()[table]
    assert datasets[f"lake.silver.{table}"].names == facts.silver_schema.names
    if facts.source == "table":
        assert datasets[f"bronze.{table}"].names == facts.bronze_schema.names
    wanted = {facts.warehouse_names.get(name, name) for name in facts.silver_schema.names} - {None}
    assert set(datasets[f"silver.{table}"].names) == wanted | {"load_id"}
