"""The copy at BACKUP_URI: what the table holds, with its marks, for the price of what has changed."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from blocks.settings.failures import PermanentFailure
from lake.delta import Lake
from tasks.ingest.bronze import COVERED, append
from tasks.restore import copies
from tasks.restore.copies import copied_table, copy_table, copy_warehouse, warehouse_copy
from tests.support.platforms import Platform, here

NAME = "bronze.things"
SCHEMA = pa.schema([("id", pa.int64())])


@pytest.fixture
def backup(platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    del platform
    monkeypatch.setenv("BACKUP_URI", str(tmp_path / "backup"))
    return tmp_path / "backup"


def put(lake: Lake, number: int) -> None:
    append(lake, NAME, SCHEMA, iter([pa.record_batch([[number]], SCHEMA)]), {COVERED: number})


def copied() -> list[int]:
    return sorted(copied_table(NAME, here()[0]).to_pyarrow_table()["id"].to_pylist())


def test_a_copy_holds_rows_and_marks_and_costs_what_has_changed(platform: Platform, backup: Path) -> None:
    put(platform.lake, 1)
    put(platform.lake, 2)
    assert copy_table.fn(NAME, *here()) == 2
    assert copied() == [1, 2]
    put(platform.lake, 3)
    assert copied() == [1, 2]
    assert copy_table.fn(NAME, *here()) == 1
    assert copied() == [1, 2, 3]
    assert copied_table(NAME, here()[0]).transaction_version(COVERED) == 3
    assert copy_table.fn(NAME, *here()) == 0
    # What a compaction has replaced is not kept for ever.
    platform.lake.table(NAME).optimize.compact()
    assert copy_table.fn(NAME, *here()) == 1
    assert copied() == [1, 2, 3]
    assert len(list((backup / "bronze" / "things").glob("*.parquet"))) == 1
    assert len(list((backup / "bronze" / "things" / "_delta_log").iterdir())) == 2


def test_a_copy_that_is_stopped_is_the_one_before(
    platform: Platform, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(platform.lake, 1)
    copy_table.fn(NAME, *here())
    put(platform.lake, 2)
    real = copies._Way.copy

    def stops_at_the_log(way: copies._Way, file: str, name: str = "") -> None:
        if file.startswith(copies.LOG):
            raise OSError("no space left")
        real(way, file, name)

    monkeypatch.setattr(copies._Way, "copy", stops_at_the_log)
    with pytest.raises(OSError, match="no space left"):
        copy_table.fn(NAME, *here())
    assert copied() == [1]
    monkeypatch.setattr(copies._Way, "copy", real)
    copy_table.fn(NAME, *here())
    assert copied() == [1, 2]


def test_the_warehouse_is_copied_as_a_file(platform: Platform, backup: Path) -> None:
    assert copy_warehouse.fn(here()[0]) is False
    with pytest.raises(PermanentFailure, match="there is no copy of the warehouse"):
        warehouse_copy(here()[0])
    with duckdb.connect(platform.warehouse) as connection:
        connection.execute("create table t as select 7 as n")
    assert copy_warehouse.fn(here()[0]) is True
    assert warehouse_copy(here()[0]) == (backup / "warehouse.duckdb").as_uri()
    with duckdb.connect(backup / "warehouse.duckdb", read_only=True) as connection:
        assert connection.execute("from t").fetchall() == [(7,)]
