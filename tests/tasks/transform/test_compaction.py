"""One table's maintenance: sizes, what may go, and what must stay."""

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from pydantic import ValidationError

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.transform.compaction import compact_table
from tests.support.platforms import here

NAME = "bronze.numbers"


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    made = Lake(tmp_path.as_uri())
    monkeypatch.setenv("LAKE_URI", made.root)
    return made


def append(lake: Lake, *numbers: int, mark: int = 0) -> None:
    marks = CommitProperties(app_transactions=[Transaction("reader", mark)])
    write_deltalake(
        lake.uri(NAME), pa.table({"n": pa.array(numbers, pa.int64())}), mode="append", commit_properties=marks
    )


def test_small_files_become_one_and_old_ones_stay_readable(lake: Lake) -> None:
    for number in range(5):
        append(lake, number, mark=number)
    done = compact_table.fn(NAME, *here())
    assert (done.files_before, done.files_after, done.files_deleted) == (5, 1, 0)
    present = DeltaTable(lake.uri(NAME))
    assert done.bytes_after == sum(path.stat().st_size for path in map(Path, present.file_uris()))
    assert sorted(present.to_pyarrow_table()["n"].to_pylist()) == [0, 1, 2, 3, 4]
    assert present.transaction_version("reader") == 4
    # Within the retention a version that was replaced can still be read.
    assert DeltaTable(lake.uri(NAME), version=2).to_pyarrow_table().num_rows == 3

    version = present.version()
    assert compact_table.fn(NAME, *here()).files_before == 1
    assert DeltaTable(lake.uri(NAME)).version() - version <= 2


def test_what_is_older_than_the_retention_is_deleted(lake: Lake) -> None:
    append(lake, 1)
    write_deltalake(lake.uri(NAME), pa.table({"n": pa.array([2], pa.int64())}), mode="overwrite")
    # As if both commits, and their files, were of a fortnight ago.
    for path in Path(lake.uri(NAME).removeprefix("file://")).rglob("*.*"):
        age(path, dt.timedelta(days=14))
    done = compact_table.fn(NAME, *here())
    assert (done.files_before, done.files_after, done.files_deleted) == (1, 1, 1)
    assert DeltaTable(lake.uri(NAME)).to_pyarrow_table()["n"].to_pylist() == [2]


def test_the_log_forgets_what_is_older_than_the_retention(lake: Lake) -> None:
    log = Path(lake.uri(NAME).removeprefix("file://")) / "_delta_log"
    for number in range(4):
        append(lake, number)
    compact_table.fn(NAME, *here())
    checkpoint = DeltaTable(lake.uri(NAME)).version()
    for path in log.iterdir():
        age(path, dt.timedelta(days=8))
    append(lake, 4)
    compact_table.fn(NAME, *here())
    assert min(int(commit.stem) for commit in log.glob("*.json")) >= checkpoint
    assert sorted(DeltaTable(lake.uri(NAME)).to_pyarrow_table()["n"].to_pylist()) == [0, 1, 2, 3, 4]


def age(path: Path, by: dt.timedelta) -> None:
    import json
    import os

    past = path.stat().st_mtime - by.total_seconds()
    if path.suffix == ".json":
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            for action, field in [
                ("remove", "deletionTimestamp"),
                ("add", "modificationTime"),
                ("commitInfo", "timestamp"),
            ]:
                if action in line:
                    line[action][field] -= int(by.total_seconds() * 1000)
        path.write_text("\n".join(map(json.dumps, lines)))
    os.utime(path, (past, past))


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LAKE_FILE_MB", "64"), ("LAKE_FILE_MB", "1024"), ("LAKE_RETENTION", "P6D"), ("LAKE_RETENTION", "PT0H")],
)
def test_limits_that_would_hurt_are_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError, match=variable.lower()):
        Settings()
