"""The warehouse in a DuckDB file, published by a rename.

A run works on a copy of the file and puts it in the live one's place, in one rename, when the gold gate has
passed. Readers keep the file they opened, and never see a run that failed.
"""

import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs

from blocks.lake_storage import check_writable
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.local_sql import connect
from lake.right import check_right
from tasks.warehouse.file_lock import writer_lock
from tasks.warehouse.interface import key_text

MOST_BYTES_A_CALL = 1 << 30


@dataclass(frozen=True)
class DuckDBWarehouse:
    """A private copy of the live file."""

    variable: ClassVar[str] = "DUCKDB_PATH"
    """What people correct when the file cannot be had."""

    path: Path
    live_path: Path
    gold: str = "gold"

    @staticmethod
    def place(settings: Settings) -> Path:
        """The file that people read."""
        return settings.duckdb_path

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Try to write where the file is. Raises PermanentFailure."""
        check_writable(cls.variable, cls.place(settings).resolve().parent.as_uri())

    @classmethod
    @contextmanager
    def staged(cls, settings: Settings) -> Iterator["DuckDBWarehouse"]:
        """A copy of the live warehouse, for one writer at a time; deleted at the end.

        Raises TransientFailure if another run holds the warehouse, PermanentFailure if it cannot be copied.
        """
        live = cls.place(settings)
        copy = live.with_name(f".{live.name}.staged")
        with writer_lock(
            live.with_name(f".{live.name}.lock"), f"the warehouse {live}", f"check {cls.variable}"
        ):
            try:
                _remove(copy)
                if live.exists():
                    _copy(live, copy)
                yield cls(copy, live)
            finally:
                _remove(copy)

    @classmethod
    def live(cls, settings: Settings) -> AbstractContextManager["DuckDBWarehouse"]:
        """A copy as well: it holds what readers see, and nobody sees it before it is published."""
        return cls.staged(settings)

    @classmethod
    @contextmanager
    def reading(cls, settings: Settings) -> Iterator["DuckDBSession"]:
        """The live file, for reading only, whoever holds the lock.

        Raises PermanentFailure if there is none.
        """
        live = cls.place(settings)
        if not live.exists():
            raise PermanentFailure(
                f"{cls.variable}: {live} does not exist; correct it, or run daily-ecommerce-pipeline first"
            )
        with connect(live, read_only=True) as connection:
            yield DuckDBSession(connection)

    @contextmanager
    def session(self) -> Iterator["DuckDBSession"]:
        """A connection to the copy; what it did is kept if the block ends without an error."""
        with connect(self.path) as connection:
            connection.execute("begin")
            yield DuckDBSession(connection)
            connection.execute("commit")

    def begin_from(self, copy: str | None) -> None:
        """Hold what a copy of the file at this URI holds, or nothing."""
        _remove(self.path)
        if copy:
            filesystem, path = pafs.FileSystem.from_uri(copy)
            with filesystem.open_input_stream(path) as source, self.path.open("wb") as target:
                shutil.copyfileobj(source, target)

    def publish(self, built: Collection[str] | None = None) -> None:
        """Rename the copy: whoever opens the live path after it sees all of the staged state, on disk."""
        check_right()
        with connect(self.path) as connection:
            connection.execute("checkpoint")
        with self.path.open("rb") as file:
            os.fsync(file.fileno())
        self.path.replace(self.live_path)

    def dbt_variables(self) -> dict[str, str]:
        """The environment variables that dbt/profiles.yml reads."""
        return {"WAREHOUSE": "duckdb", "DUCKDB_PATH": str(self.path)}


@dataclass(frozen=True)
class DuckDBSession:
    """An open transaction."""

    connection: duckdb.DuckDBPyConnection

    def rows(self, query: str) -> pa.RecordBatchReader:
        """The answer to a query."""
        return self.connection.sql(query).to_arrow_reader()

    def execute(self, statement: str) -> None:
        """Run a statement that has no answer."""
        self.connection.execute(statement)

    def has(self, name: str) -> bool:
        """True if there is a table or view of this name."""
        return bool(self.columns(name))

    def columns(self, name: str) -> list[str]:
        """The columns of a table or view; none if it does not exist."""
        found = self.connection.execute(
            "select column_name from information_schema.columns "
            "where table_schema || '.' || table_name = ? order by ordinal_position",
            [name],
        )
        return [column for (column,) in found.fetchall()]

    def add_column(self, name: str, column: pa.Field) -> None:
        """Add a column to a table, null in every row."""
        self.connection.register("added", pa.schema([column]).empty_table())
        [kind] = self.connection.sql(f"select {_as_value(column)} from added").types
        self.connection.unregister("added")
        self.execute(f"alter table {name} add column {column.name} {kind}")

    def next_load_id(self) -> int:
        """A number that no load before has had."""
        self.connection.execute("create sequence if not exists ops.load_ids")
        [(load_id,)] = self.connection.execute("select nextval('ops.load_ids')").fetchall()
        return load_id

    def replace(self, name: str, rows: pa.Table) -> None:
        """Make a table hold these rows and no others."""
        self.connection.register("new_rows", rows)
        self.connection.execute(f"create or replace table {name} as select * from new_rows")
        self.connection.unregister("new_rows")

    def put(self, name: str, keys: Sequence[str], rows: pa.Table) -> None:
        """Add rows in place of those with the same keys."""
        self.connection.register("new_rows", rows)
        key = key_text(keys)
        self.execute(f"delete from {name} where {key} in (select {key} from new_rows)")
        self.execute(f"insert into {name} by name select * from new_rows")
        self.connection.unregister("new_rows")

    def upsert(self, name: str, key: str, rows: pads.Scanner, load_id: int, scope: str) -> int:
        """Insert or replace the rows that differ from the table's; returns their number (interface.py)."""
        columns = rows.projected_schema
        names, values = ", ".join(columns.names), ", ".join(map(_as_value, columns))
        self.connection.register("lake_rows", rows)
        self.execute(
            f"create table if not exists {name} as "
            f"select {values}, 0::bigint as load_id from lake_rows limit 0"
        )
        if scope == "first":
            self.execute(f"delete from {name}")
            self.execute(f"create temp view changed as select {values} from lake_rows")
        else:
            self.execute(f"create temp table incoming as select {values} from lake_rows")
            # Compared with the rows of their keys: else every row that there is would be hashed.
            self.execute(
                f"create temp table changed as select * from incoming except "
                f"select {names} from {name} where {key} in (select incoming.{key} from incoming)"
            )
            self.execute(f"delete from {name} where {key} in (select changed.{key} from changed)")
        if scope == "all":
            self.execute(f"delete from {name} where {key} not in (select incoming.{key} from incoming)")
        [(changed,)] = self.connection.execute(
            f"insert into {name} ({names}, load_id) select *, {load_id} from changed"
        ).fetchall()
        self.execute(f"drop {'view' if scope == 'first' else 'table'} changed")
        self.execute("drop table if exists incoming")
        self.connection.unregister("lake_rows")
        return changed


def _as_value(column: pa.Field) -> str:
    """A lake column as the warehouse holds it: times as UTC without a zone.

    DuckDB would show and cast zoned times by the reader's time zone, and dbt's snapshots expect plain ones.
    """
    if pa.types.is_timestamp(column.type):
        return f"make_timestamp(epoch_us({column.name})) as {column.name}"
    return column.name


def _copy(live: Path, staged: Path) -> None:
    """Copy a file; on XFS and Btrfs the two share their blocks until one is written."""
    try:
        with live.open("rb") as source, staged.open("wb") as target:
            while os.copy_file_range(source.fileno(), target.fileno(), MOST_BYTES_A_CALL):
                pass
    except (AttributeError, OSError):  # not Linux, or a file system that cannot
        shutil.copyfile(live, staged)


def _remove(staged: Path) -> None:
    for path in (staged, staged.with_name(staged.name + ".wal")):
        path.unlink(missing_ok=True)
