"""The warehouse: what a load changes, what readers see of a publish, and who may write."""

import datetime as dt
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from blocks.failures import PermanentFailure, TransientFailure
from blocks.settings import REPOSITORY
from hand_made import DAY, at, customer, order, product
from tasks import warehouse
from tasks.copy_stream import arrow_schema
from expectations.contracts import SOURCE_TABLES

CLICKS = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.string()),
        ("event_at", pa.timestamp("us", tz="UTC")),
        ("source_file", pa.string()),
        ("line_number", pa.int64()),
    ]
)
SCHEMAS = {f"silver.{name}": arrow_schema(table.columns) for name, table in SOURCE_TABLES.items()} | {
    "silver.clickstream": CLICKS
}
QUARANTINE = pa.schema(
    [
        ("quarantine_id", pa.string()),
        ("source", pa.string()),
        ("ds", pa.date32()),
        ("reason", pa.string()),
        ("key", pa.string()),
        ("occurred_at", pa.timestamp("us", tz="UTC")),
        ("origin", pa.string()),
        ("raw", pa.string()),
    ]
)


def rejected(number: int, source: str, key: str | None, occurred_at: dt.datetime | None, **values: Any) -> dict:
    """A quarantined row."""
    return {
        "quarantine_id": f"q{number}",
        "source": source,
        "ds": DAY,
        "reason": "amount_in_range",
        "key": key,
        "occurred_at": occurred_at,
        "origin": f"{source}/{key}",
        "raw": f"raw {number}",
    } | values


def event(event_id: str) -> dict[str, Any]:
    return {"event_id": event_id, "user_id": "1", "event_at": at(DAY), "source_file": "f", "line_number": 1}


class Silver:
    """Silver and quarantine in the lake, written directly."""

    def __init__(self, platform: Any) -> None:
        self.lake = platform.lake
        for name, schema in SCHEMAS.items():
            self.append(name, schema=schema)
            self.append(name.replace("silver", "quarantine"), schema=QUARANTINE)

    def append(self, name: str, *rows: dict[str, Any], schema: pa.Schema | None = None) -> None:
        schema = schema or (SCHEMAS[name] if name in SCHEMAS else QUARANTINE)
        write_deltalake(self.lake.uri(name), pa.Table.from_pylist(list(rows), schema=schema), mode="append")

    def replace(self, name: str, *rows: dict[str, Any]) -> None:
        schema = SCHEMAS.get(name, QUARANTINE)
        write_deltalake(self.lake.uri(name), pa.Table.from_pylist(list(rows), schema=schema), mode="overwrite")

    def delete(self, name: str, condition: str) -> None:
        DeltaTable(self.lake.uri(name)).delete(condition)


@pytest.fixture
def silver(platform: Any) -> Silver:
    made = Silver(platform)
    made.append("silver.orders", order(1), order(2))
    made.append("silver.customers", customer(1))
    made.append("silver.products", product(1))
    made.append("silver.clickstream", event("a"), event("b"))
    return made


@pytest.fixture
def staged(platform: Any) -> Iterator[Path]:
    with warehouse.staged_warehouse() as path:
        yield path


def load(staged: Path, full: bool = False) -> dict[str, int]:
    """Load; returns the rows per table, without those that did not change."""
    return {table: rows for table, rows in warehouse.load_warehouse.fn(staged, full).rows.items() if rows}


def query(path: Path, statement: str) -> list[tuple]:
    with duckdb.connect(path) as connection:
        return connection.execute(statement).fetchall()


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
    assert columns == ["event_id", "user_id", "event_at", "load_id"]


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
        silver.lake.uri("silver.products"), pa.table({"other": [1]}), mode="overwrite", schema_mode="overwrite"
    )
    with pytest.raises(duckdb.Error):
        load(staged)
    assert load_ids(staged) == {1: 1, 2: 1}


# --- open quarantine --------------------------------------------------------------------------------------------


OPEN_CASES = [
    pytest.param([("7", 10)], [], {"7": 10}, id="rejected, never valid"),
    pytest.param([("1", 13)], [], {"1": 13}, id="the newest version is rejected, an older one valid"),
    pytest.param([("1", 11)], [], {}, id="a newer version is valid already"),
    pytest.param([("1", 12)], [], {}, id="the same version is valid: the row was fixed in place"),
    pytest.param([("1", 13), ("1", 14), ("1", 15)], [], {"1": 15}, id="several rejected: the newest is the open one"),
    pytest.param([("1", 13), ("1", 14)], [15], {}, id="closed by a newer valid version"),
    pytest.param([("1", 13), ("1", 15)], [14], {"1": 15}, id="a valid version between two rejected closes only the first"),
    pytest.param([(None, 10), (None, 11)], [], {None: 2}, id="rows without a key stay open, each"),
    pytest.param([("1", None)], [], {"1": None}, id="a rejected version without a time"),
]


@pytest.mark.parametrize(("rejects", "later_valid", "expected"), OPEN_CASES)
def test_open_quarantine(
    silver: Silver,
    staged: Path,
    rejects: list[tuple[str | None, int | None]],
    later_valid: list[int],
    expected: dict,
) -> None:
    """Order 1 is valid in silver as of 12 o'clock; the hours are of the rejected and of later valid versions."""
    rows = [
        rejected(number, "orders", key, at(DAY, hour) if hour is not None else None)
        for number, (key, hour) in enumerate(rejects)
    ]
    silver.append("quarantine.orders", *rows)
    load(staged)
    for hour in later_valid:
        silver.replace("silver.orders", order(1, updated_at=at(DAY, hour)), order(2))
        load(staged)
    found = query(staged, "select key, hour(timezone('UTC', occurred_at)) from quarantine.open_rows")
    if None in expected:
        assert [key for key, _ in found] == [None] * expected[None]
    else:
        assert dict(found) == expected and len(found) == len(expected)


def test_an_open_row_shows_reason_source_day_and_raw_row(silver: Silver, staged: Path) -> None:
    silver.append("quarantine.orders", rejected(1, "orders", "7", at(DAY), raw='{"order_id": 7}'))
    load(staged)
    columns = "source, ds, reason, key, raw"
    assert query(staged, f"select {columns} from quarantine.open_rows") == [
        ("orders", DAY, "amount_in_range", "7", '{"order_id": 7}')
    ]


def test_a_rejected_click_is_closed_by_the_event_whenever_it_happened(silver: Silver, staged: Path) -> None:
    silver.append(
        "quarantine.clickstream",
        rejected(1, "clickstream", "a", at(DAY, 23)),
        rejected(2, "clickstream", "z", at(DAY, 1)),
        rejected(3, "clickstream", None, None),
    )
    load(staged)
    assert sorted(query(staged, "select key from quarantine.open_rows"), key=str) == [("z",), (None,)]


def test_all_tables_are_in_the_view(silver: Silver, staged: Path) -> None:
    for number, table in enumerate(warehouse.KEYS):
        silver.append(f"quarantine.{table}", rejected(number, table, "999", at(DAY)))
    load(staged)
    found = query(staged, "select source from quarantine.open_rows order by 1")
    assert found == [("clickstream",), ("customers",), ("orders",), ("products",)]


# --- publish ----------------------------------------------------------------------------------------------------


def make_live(path: Path, value: int) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("create or replace table t as select ? as value", [value])


def test_a_publish_is_the_staged_copy_with_what_was_live(platform: Any) -> None:
    make_live(platform.warehouse, 1)
    with warehouse.staged_warehouse() as staged:
        assert query(staged, "select value from t") == [(1,)]
        query(staged, "create table u as select 2 as value")
        assert warehouse.publish_warehouse.fn(staged) == platform.warehouse
    assert query(platform.warehouse, "select t.value, u.value from t, u") == [(1, 2)]


READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
for _ in sys.stdin:
    print(connection.execute("select value from t").fetchone()[0], flush=True)
"""


def test_a_reader_keeps_the_state_it_opened(platform: Any) -> None:
    make_live(platform.warehouse, 1)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(platform.warehouse)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def seen() -> str:
        reader.stdin.write("\n")
        reader.stdin.flush()
        return reader.stdout.readline().strip()

    try:
        assert seen() == "1"
        with warehouse.staged_warehouse() as staged:
            make_live(staged, 2)
            assert seen() == "1"
            warehouse.publish_file(staged)
        assert seen() == "1"
        assert query(platform.warehouse, "select value from t") == [(2,)]
    finally:
        reader.communicate()


def test_a_run_that_fails_leaves_the_live_file_byte_for_byte(platform: Any) -> None:
    make_live(platform.warehouse, 1)
    before = platform.warehouse.read_bytes()
    with pytest.raises(RuntimeError, match="gate"), warehouse.staged_warehouse() as staged:
        make_live(staged, 2)
        raise RuntimeError("gate")
    assert platform.warehouse.read_bytes() == before
    assert {path.name for path in platform.folder.iterdir()} == {
        "clickstream",
        "warehouse.duckdb",
        ".warehouse.duckdb.lock",
    }


def test_what_a_killed_run_left_behind_does_not_matter(platform: Any) -> None:
    make_live(platform.warehouse, 1)
    left = platform.warehouse.with_name(".warehouse.duckdb.staged")
    left.write_bytes(b"half a file")
    left.with_name(left.name + ".wal").write_bytes(b"half a log")
    with warehouse.staged_warehouse() as staged:
        assert query(staged, "select value from t") == [(1,)]


# --- one writer -------------------------------------------------------------------------------------------------


HOLDER = """
import sys, duckdb
from tasks.warehouse import publish_file, staged_warehouse
with staged_warehouse() as staged:
    print("held", flush=True)
    sys.stdin.readline()
    with duckdb.connect(staged) as connection:
        connection.execute("create table t as select 5 as value")
    publish_file(staged)
"""


@pytest.fixture
def holder(platform: Any) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the warehouse; a line on its stdin makes it publish and go."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.communicate("\n", timeout=30)


def test_a_second_writer_waits_and_sees_the_firsts_work(holder: subprocess.Popen[str]) -> None:
    def let_go() -> None:
        holder.stdin.write("\n")
        holder.stdin.flush()

    threading.Timer(0.3, let_go).start()
    with warehouse.staged_warehouse() as staged:
        assert query(staged, "select value from t") == [(5,)]


def test_a_second_writer_gives_up_after_the_timeout(
    holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse, "LOCK_TIMEOUT_SECONDS", 0.2)
    with pytest.raises(TransientFailure, match="another run has held the warehouse .* for 0.2 s"):
        with warehouse.staged_warehouse():
            pass


def test_the_lock_of_a_killed_writer_is_free(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warehouse, "LOCK_TIMEOUT_SECONDS", 5)
    script = "import os\nfrom tasks.warehouse import staged_warehouse\nwith staged_warehouse():\n    os._exit(9)\n"
    killed = subprocess.run([sys.executable, "-c", script], cwd=REPOSITORY, check=False)
    assert killed.returncode == 9
    with warehouse.staged_warehouse() as staged:
        assert not staged.exists()


def test_a_place_that_cannot_be_written_is_permanent(platform: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (platform.folder / "file").write_text("not a folder")
    monkeypatch.setenv("DUCKDB_PATH", str(platform.folder / "file" / "warehouse.duckdb"))
    with pytest.raises(PermanentFailure, match="check DUCKDB_PATH"), warehouse.staged_warehouse():
        pass
