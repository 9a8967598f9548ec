"""Marks go with rows: what a reader takes for read is what its table holds."""

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lake.delta import UNREAD, Lake
from tasks.ingest.bronze import COMPARED, COVERED, append, covered_until
from tasks.restore.plan import plan_restore
from tasks.restore.request import Restoration, Source
from tasks.restore.steps import restore_table
from tests.support.platforms import Broker, Platform, here
from tests.support.stock_events import drained, produce

ORDERS = "bronze.orders"
SCHEMA = pa.schema([("id", pa.int64())])


def put(lake: Lake, number: int, name: str = ORDERS) -> None:
    batch = pa.record_batch([[number]], SCHEMA)
    append(lake, name, SCHEMA, iter([batch]), {COVERED: number, COMPARED: number + 100})


def bring_back(what: str, source: Source | None = None, version: int | None = None) -> None:
    wanted = Restoration.of(what, source, version)
    settings, lake = here()
    for part in plan_restore(wanted, settings, lake).parts:
        restore_table.fn(part, wanted, settings, lake)


def marks(table: DeltaTable, *names: str) -> list[int | None]:
    return [table.transaction_version(name) for name in names]


def test_an_older_version_has_its_own_marks_and_is_compared_anew(platform: Platform) -> None:
    for number in (1, 2, 3):
        put(platform.lake, number)
    bring_back(ORDERS, version=1)
    assert covered_until(platform.lake, ORDERS) == 2
    table = platform.lake.table(ORDERS)
    assert sorted(table.to_pyarrow_table()["id"].to_pylist()) == [1, 2]
    assert marks(table, COMPARED) == [UNREAD]
    # Marks move on again, and what was written before is in the history still.
    put(platform.lake, 3)
    assert covered_until(platform.lake, ORDERS) == 3
    assert DeltaTable(table.table_uri, version=2).to_pyarrow_table().num_rows == 3


def test_a_mark_that_a_version_did_not_have_is_unread(platform: Platform) -> None:
    name = "silver.orders"
    write_deltalake(platform.lake.uri("quarantine.orders"), pa.table({"quarantine_id": ["a"]}))
    write_deltalake(platform.lake.uri(name), pa.table({"id": [1]}))
    platform.lake.mark_progress(name, "bronze", 7)
    assert platform.lake.progress(name, "bronze") == 7
    bring_back(name, version=0)
    assert platform.lake.progress(name, "bronze") is None


def test_clicks_are_all_looked_at_again(platform: Platform) -> None:
    put(platform.lake, 1, "bronze.clickstream")
    put(platform.lake, 2, "bronze.clickstream")
    bring_back("bronze.clickstream", version=0)
    assert covered_until(platform.lake, "bronze.clickstream") is None


def test_read_again_from_the_source_it_is_empty_and_nothing_is_covered(platform: Platform) -> None:
    put(platform.lake, 1)
    write_deltalake(platform.lake.uri("silver.orders"), pa.table({"id": [1]}))
    platform.lake.mark_progress("silver.orders", "bronze", 0)
    bring_back(ORDERS, "source")
    assert platform.lake.table(ORDERS).to_pyarrow_table().num_rows == 0
    assert covered_until(platform.lake, ORDERS) is None
    # The same table: what is read again is new to silver.
    put(platform.lake, 1)
    files, _ = platform.lake.files_since(ORDERS, platform.lake.progress("silver.orders", "bronze"))
    assert len(files) == 1


@pytest.mark.slow
@pytest.mark.parametrize("source", ["history", "source"])
def test_kafkas_offsets_go_back_with_the_events(
    kafka: Broker, platform: Platform, monkeypatch: pytest.MonkeyPatch, source: Source
) -> None:
    topic = kafka.make_topic(partitions=1)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    monkeypatch.setenv("INVENTORY_TOPIC", topic)

    produce(kafka, topic, range(2))
    assert drained() == 2
    version = platform.lake.table("bronze.inventory").version()
    produce(kafka, topic, range(2, 3))
    assert drained() == 1
    bring_back("bronze.inventory", source, version if source == "history" else None)
    kept = 2 if source == "history" else 0
    table = platform.lake.table("bronze.inventory")
    assert table.to_pyarrow_table().num_rows == kept
    assert drained() == 3 - kept
    assert platform.lake.table("bronze.inventory").to_pyarrow_table()["offset"].to_pylist().count(2) == 1
    assert drained() == 0
