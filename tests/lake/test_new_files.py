"""lake.new_files: whatever is appended, merged, compacted and vacuumed, a reader misses no row."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lake.delta import Lake

NAME = "bronze.numbers"
APPEND, COMPACT, READ, VACUUM, MERGE, CHECKPOINT = (
    "append",
    "compact",
    "read",
    "vacuum",
    "merge",
    "checkpoint",
)


class History:
    """A table with a counter as its column `n`, what happens to it, and a reader of what is new in it."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(folder.as_uri())
        self.next = 0
        # By key, as the table and as the reader has it.
        self.rows: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self.read_to: int | None = None
        self.unread: list[int] = []
        self.is_vacuumed = False

    @property
    def table(self) -> DeltaTable:
        return DeltaTable(self.lake.uri(NAME))

    def append(self) -> None:
        rows = {self.next: 0, self.next + 1: 0}
        self.next += 2
        write_deltalake(self.lake.uri(NAME), arrow(rows), mode="append")
        self.rows |= rows
        self.unread += rows

    def merge(self) -> None:
        """Change every third row, and add one."""
        rows = {key: value + 1 for key, value in self.rows.items() if key % 3 == 0} | {self.next: 0}
        self.next += 1
        merging = self.table.merge(arrow(rows), "old.n = new.n", source_alias="new", target_alias="old")
        merging.when_matched_update_all().when_not_matched_insert_all().execute()
        self.rows |= rows

    def compact(self) -> None:
        self.table.optimize.compact()

    def vacuum(self) -> None:
        self.table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        self.is_vacuumed = True

    def checkpoint(self) -> None:
        self.table.create_checkpoint()

    def read(self) -> list[int]:
        """What is new since the last read, taken in as an upsert does; returns the keys."""
        rows = self.lake.rows_since(NAME, self.read_to).to_table().to_pylist()
        files, self.read_to = self.lake.files_since(NAME, self.read_to)
        assert bool(files) == bool(rows)
        self.seen |= {row["n"]: row["value"] for row in rows}
        return [row["n"] for row in rows]


def arrow(rows: dict[int, int]) -> pa.Table:
    return pa.table({"n": pa.array(rows, pa.int64()), "value": pa.array(rows.values(), pa.int64())})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def histories(*actions: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(actions), min_size=3, max_size=12)


TRIES = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)


def fresh() -> Iterator[History]:
    folder = Path(tempfile.mkdtemp())
    try:
        yield History(folder)
    finally:
        shutil.rmtree(folder)


@TRIES
@given(histories(APPEND, APPEND, COMPACT, READ, READ, VACUUM, CHECKPOINT))
def test_an_appended_row_is_read_once(actions: list[str]) -> None:
    """Twice at most, and then everything: only if compacted rows were vacuumed before they were read."""
    for history in fresh():
        history.append()
        for action in [*actions, READ]:
            if action != READ:
                getattr(history, action)()
                continue
            keys = history.read()
            if history.is_vacuumed and sorted(keys) != history.unread:
                assert sorted(keys) == sorted(history.rows)
            else:
                assert sorted(keys) == history.unread
            history.unread, history.is_vacuumed = [], False


@TRIES
@given(histories(APPEND, APPEND, COMPACT, COMPACT, READ, READ, VACUUM, MERGE, MERGE))
def test_a_reader_of_an_upserted_table_comes_to_what_it_holds(actions: list[str]) -> None:
    for history in fresh():
        history.append()
        for action in [*actions, READ]:
            if action != READ:
                getattr(history, action)()
                continue
            keys = history.read()
            assert len(set(keys)) == len(keys)
            assert history.seen == history.rows


@pytest.mark.parametrize(
    ("actions", "expected"),
    [
        pytest.param([COMPACT], [], id="old rows in a new file are not new"),
        pytest.param([APPEND, COMPACT], [4, 5], id="new rows in a compacted file are, and the others not"),
        pytest.param([COMPACT, APPEND], [4, 5], id="new rows beside a compacted file"),
        pytest.param([APPEND, COMPACT, APPEND, COMPACT], [4, 5, 6, 7], id="compacted twice"),
        pytest.param([COMPACT, VACUUM], [], id="a vacuum of what was read"),
        pytest.param(
            [APPEND, COMPACT, VACUUM], [0, 1, 2, 3, 4, 5], id="a vacuum of what was not: everything"
        ),
        pytest.param([COMPACT, MERGE], [0, 1, 2, 3, 4], id="a merge rewrites what lay beside"),
        pytest.param([APPEND, COMPACT, MERGE], [0, 1, 2, 3, 4, 5, 6], id="a merge into compacted new rows"),
    ],
)
def test_what_is_new(folder: Path, actions: list[str], expected: list[int]) -> None:
    history = History(folder)
    history.append()
    history.append()
    assert sorted(history.read()) == [0, 1, 2, 3]
    for action in actions:
        getattr(history, action)()
    assert sorted(history.read()) == expected


def test_a_log_that_was_cleaned_up_makes_everything_new(folder: Path) -> None:
    history = History(folder)
    history.append()
    history.read()
    history.append()
    history.checkpoint()
    history.append()
    (folder / "bronze/numbers/_delta_log/00000000000000000000.json").unlink()
    assert sorted(history.read()) == [0, 1, 2, 3, 4, 5]
    assert history.read() == []


def test_a_table_that_was_begun_anew_is_new(folder: Path) -> None:
    history = History(folder)
    for _ in range(3):
        history.append()
    history.read()
    shutil.rmtree(folder / "bronze")
    history.append()
    assert sorted(history.read()) == [6, 7]


def test_the_lakes_tables_are_found(folder: Path) -> None:
    lake = Lake(folder.as_uri())
    assert lake.tables() == []
    for name in ("silver.orders", "bronze.orders"):
        write_deltalake(lake.uri(name), arrow({1: 1}))
    (folder / "bronze" / "no_table").mkdir()
    assert lake.tables() == ["bronze.orders", "silver.orders"]
