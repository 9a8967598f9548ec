"""Publishing the warehouse: what readers see, what a failed run leaves, and who may write."""

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.settings import Settings
from tasks.warehouse import file_lock as writer_lock
from tasks.warehouse.access import one_writer, publish_warehouse, staged_warehouse
from tests.support.platforms import Platform
from tests.support.silver_tables import query


def make_live(path: Path, value: int) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("create or replace table t as select ? as value", [value])


def test_a_publish_is_the_staged_copy_with_what_was_live(platform: Platform) -> None:
    make_live(platform.warehouse, 1)
    with staged_warehouse(Settings()) as staged:
        assert query(staged.path, "select value from t") == [(1,)]
        query(staged.path, "create table u as select 2 as value")
        publish_warehouse.fn(staged)
    assert query(platform.warehouse, "select t.value, u.value from t, u") == [(1, 2)]


def test_a_file_system_that_does_not_copy_by_itself_is_copied_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: int) -> int:
        raise OSError(errno.EXDEV, "in the middle of it")

    make_live(platform.warehouse, 1)
    monkeypatch.setattr(os, "copy_file_range", refused)
    with staged_warehouse(Settings()) as staged:
        assert staged.path.read_bytes() == platform.warehouse.read_bytes()


READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=True)
for _ in sys.stdin:
    print(connection.execute("select value from t").fetchone()[0], flush=True)
"""


def test_a_reader_keeps_the_state_it_opened(platform: Platform) -> None:
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
        with staged_warehouse(Settings()) as staged:
            make_live(staged.path, 2)
            assert seen() == "1"
            staged.publish()
        assert seen() == "1"
        assert query(platform.warehouse, "select value from t") == [(2,)]
    finally:
        reader.communicate()


def test_a_run_that_fails_leaves_the_live_file_byte_for_byte(platform: Platform) -> None:
    make_live(platform.warehouse, 1)
    before = platform.warehouse.read_bytes()
    with pytest.raises(RuntimeError, match="gate"), staged_warehouse(Settings()) as staged:
        make_live(staged.path, 2)
        raise RuntimeError("gate")
    assert platform.warehouse.read_bytes() == before
    assert {path.name for path in platform.folder.iterdir()} == {
        "clickstream",
        "lake",
        "warehouse.duckdb",
        ".warehouse.duckdb.lock",
    }


def test_what_a_killed_run_left_behind_does_not_matter(platform: Platform) -> None:
    make_live(platform.warehouse, 1)
    left = platform.warehouse.with_name(".warehouse.duckdb.staged")
    left.write_bytes(b"half a file")
    left.with_name(left.name + ".wal").write_bytes(b"half a log")
    with staged_warehouse(Settings()) as staged:
        assert query(staged.path, "select value from t") == [(1,)]


HOLDER = """
import sys, duckdb
from blocks.settings.settings import Settings
from tasks.warehouse.access import staged_warehouse
with staged_warehouse(Settings()) as staged:
    print("held", flush=True)
    sys.stdin.readline()
    with duckdb.connect(staged.path) as connection:
        connection.execute("create table t as select 5 as value")
    staged.publish()
"""


@pytest.fixture
def holder(platform: Platform) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the warehouse; a line on its stdin makes it publish and go."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.communicate("\n", timeout=30)


def test_a_second_writer_waits_and_sees_the_firsts_work(holder: subprocess.Popen[str]) -> None:
    def let_go() -> None:
        holder.stdin.write("\n")
        holder.stdin.flush()

    threading.Timer(0.3, let_go).start()
    with staged_warehouse(Settings()) as staged:
        assert query(staged.path, "select value from t") == [(5,)]


def test_a_second_writer_gives_up_after_the_timeout(
    holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_lock, "LOCK_TIMEOUT_SECONDS", 0.2)
    sentence = r"another run has held the lake .* for 0\.2 s"
    with pytest.raises(TransientFailure, match=sentence), staged_warehouse(Settings()):
        pass


def test_whoever_writes_the_lake_is_waited_for(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features and the model's scores are written by whoever has a staged warehouse, too."""
    monkeypatch.setattr(writer_lock, "LOCK_TIMEOUT_SECONDS", 0.2)
    for kind in ("duckdb", "snowflake"):
        monkeypatch.setenv("WAREHOUSE", kind)
        with (
            one_writer(platform.lake),
            pytest.raises(TransientFailure, match="another run has held the lake"),
            staged_warehouse(Settings()),
        ):
            pass


KILLED = """
import os
from blocks.settings.settings import Settings
from tasks.warehouse.access import staged_warehouse
with staged_warehouse(Settings()):
    os._exit(9)
"""


def test_the_lock_of_a_killed_writer_is_free(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_lock, "LOCK_TIMEOUT_SECONDS", 5)
    killed = subprocess.run([sys.executable, "-c", KILLED], cwd=REPOSITORY, check=False)
    assert killed.returncode == 9
    with staged_warehouse(Settings()) as staged:
        assert not staged.path.exists()


def test_a_place_that_cannot_be_written_is_permanent(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    (platform.folder / "file").write_text("not a folder")
    monkeypatch.setenv("DUCKDB_PATH", str(platform.folder / "file" / "warehouse.duckdb"))
    with pytest.raises(PermanentFailure, match="check DUCKDB_PATH"), staged_warehouse(Settings()):
        pass
