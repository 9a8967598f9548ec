"""The common part of the warehouses in the cloud, Snowflake and BigQuery.

`silver`, `quarantine`, `ops` and dbt's schemas are the pipeline's own. People read `gold`. dbt builds in
`gold_staged`, which begins every run as a copy of `gold`; a publish brings its marts out in one transaction.
"""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self
from uuid import uuid4

import pyarrow as pa
import pyarrow.dataset as pads

from blocks.settings.environment import DATA
from blocks.settings.settings import Settings
from lake.right import check_right
from tasks.warehouse.file_lock import writer_lock
from tasks.warehouse.interface import key_text

LIVE, STAGED = "gold", "gold_staged"
# The inputs that tasks/transform/dbt.py keeps of its last build, and that of the last published one.
BUILT, PUBLISHED = "ops.last_build", "ops.published_build"
# About 100 MB of orders in Parquet: what both services like to load at a time.
ROWS_PER_FILE = 2_000_000
Columns = dict[str, str]
"""The types of a table's columns, in their order, as the warehouse names them."""


class CloudSession(ABC):
    """A connection; each statement counts at once, except within `together`."""

    time: ClassVar[pa.DataType]
    """The type of times in a Parquet file, from which they become what `type_of` names."""

    @abstractmethod
    def rows(self, query: str) -> pa.RecordBatchReader:
        """The answer to a query; column names in lower case."""

    @abstractmethod
    def execute(self, statement: str) -> int:
        """Run a statement; returns the number of rows inserted, changed or deleted."""

    @abstractmethod
    def together(self, statements: list[str]) -> None:
        """Run statements that change rows in one transaction."""

    @abstractmethod
    def tables(self, schema: str) -> dict[str, Columns]:
        """The tables and views of a schema; none if it does not exist."""

    @abstractmethod
    def type_of(self, column: pa.DataType) -> str:
        """The warehouse's type for a type of the lake. Raises TypeError if there is none."""

    @abstractmethod
    def create(self, name: str, columns: Columns, key: str) -> None:
        """Make a table, if it is not there, laid out for reading by its first date and merging on `key`."""

    @abstractmethod
    def create_incoming(self, name: str, columns: Columns) -> None:
        """Make a table for the length of a load."""

    @abstractmethod
    def copy_in(self, name: str, files: list[Path]) -> None:
        """Append Parquet files to an incoming table, which has their columns."""

    @abstractmethod
    def drop(self, name: str) -> None:
        """Delete a table, if it is there."""

    @abstractmethod
    def clone(self, name: str, source: str) -> None:
        """Make or replace a table by a copy of another with the same layout, in one step."""

    def has(self, name: str) -> bool:
        """True if there is a table or view of this name."""
        return bool(self.columns(name))

    def columns(self, name: str) -> list[str]:
        """The columns of a table or view; none if it does not exist."""
        schema, table = name.split(".")
        return list(self.tables(schema).get(table, {}))

    def add_column(self, name: str, column: pa.Field) -> None:
        """Add a column to a table, null in every row."""
        kind = self.type_of(column.type)
        # One that was just added may be there without being listed: BigQuery takes its time.
        self.execute(f"alter table {name} add column if not exists {column.name} {kind}")

    def next_load_id(self) -> int:
        """A number that no load before has had."""
        self.execute("create table if not exists ops.load_ids (load_id bigint)")
        self.execute("insert into ops.load_ids select coalesce(max(load_id), 0) + 1 from ops.load_ids")
        [row] = self.rows("select max(load_id) as load_id from ops.load_ids").read_all().to_pylist()
        return int(row["load_id"])

    def replace(self, name: str, rows: pa.Table) -> None:
        """Make a table hold these rows and no others."""
        with self._incoming(pads.dataset(rows).scanner()) as incoming:
            self.execute(f"create or replace table {name} as select * from {incoming}")

    def put(self, name: str, keys: Sequence[str], rows: pa.Table) -> None:
        """Add rows in place of those with the same keys, in one transaction."""
        if not rows.num_rows:
            return
        names, key = ", ".join(rows.column_names), key_text(keys)
        with self._incoming(pads.dataset(rows).scanner()) as incoming:
            self.together(
                [
                    f"delete from {name} where {key} in (select {key} from {incoming})",
                    f"insert into {name} ({names}) select {names} from {incoming}",
                ]
            )

    def upsert(self, name: str, key: str, rows: pads.Scanner, load_id: int, scope: str) -> int:
        """Insert or replace the rows that differ from the table's; returns their number (interface.py)."""
        columns = rows.projected_schema
        types = {column.name: self.type_of(column.type) for column in columns}
        self.create(name, types | {"load_id": self.type_of(pa.int64())}, key)
        if not rows.count_rows():
            if scope != "changes":
                self.execute(f"delete from {name} where true")
            return 0
        with self._incoming(rows) as incoming:
            changed = self.execute(merge_statement(name, incoming, key, columns.names, load_id))
            if scope != "changes":
                self.execute(f"delete from {name} where {key} not in (select {key} from {incoming})")
        return changed

    @contextmanager
    def _incoming(self, rows: pads.Scanner) -> Iterator[str]:
        """Rows of the lake in a table that lives as long as the block; gives its name."""
        name = f"ops.incoming_{uuid4().hex}"
        self.create_incoming(
            name, {column.name: self.type_of(column.type) for column in rows.projected_schema}
        )
        try:
            with parquet_files(rows, self.time) as files:
                if files:
                    self.copy_in(name, files)
            yield name
        finally:
            self.drop(name)


@dataclass(frozen=True)
class CloudWarehouse(ABC):
    """The warehouse with the marts in `gold`: LIVE is what people read, STAGED what a run builds."""

    gold: str
    settings: Settings

    @classmethod
    @contextmanager
    def staged(cls, settings: Settings) -> Iterator[Self]:
        """The warehouse that a run builds, for one writer per machine at a time. Raises TransientFailure."""
        name = cls.place(settings)
        with writer_lock(DATA / f".{name}.lock", f"the warehouse {name}", "make data/ writable"):
            staged = cls(STAGED, settings)
            staged.restore()
            yield staged

    @classmethod
    @contextmanager
    def live(cls, settings: Settings) -> Iterator[Self]:
        """The warehouse that people read."""
        yield cls(LIVE, settings)

    @staticmethod
    @abstractmethod
    def place(settings: Settings) -> str:
        """The name of the database or project in the service."""

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Log in, and make the schema `ops` if it is not there. Raises PipelineFailure."""
        with cls(LIVE, settings).session() as session:
            session.execute("create schema if not exists ops")

    @classmethod
    def reading(cls, settings: Settings) -> AbstractContextManager[CloudSession]:
        """A connection for queries on what people read."""
        return cls(LIVE, settings).session()

    @abstractmethod
    def session(self) -> AbstractContextManager[CloudSession]:
        """A connection, closed at the end. Raises PipelineFailure."""

    def restore(self) -> None:
        """Make `gold_staged` a copy of what people read, whatever an unpublished run has left there."""
        with self.session() as session:
            for schema in ("ops", LIVE, STAGED):
                session.execute(f"create schema if not exists {schema}")
            live = session.tables(LIVE)
            for table in session.tables(STAGED).keys() - live.keys():
                session.drop(f"{STAGED}.{table}")
            for table in live:
                session.clone(f"{STAGED}.{table}", f"{LIVE}.{table}")
            session.drop(BUILT)
            if session.has(PUBLISHED):
                session.clone(BUILT, PUBLISHED)

    def publish(self, built: Collection[str] | None = None) -> None:
        """Bring `gold` up to `gold_staged`, all marts in one transaction; nothing to do for the live one.

        Writing costs by the byte: marts that were not `built` (default: all were) stay as they are. A mart
        that is new, or whose columns have changed, is replaced by itself before the others.
        """
        if self.gold == LIVE:
            return
        check_right()
        with self.session() as session:
            live, statements = session.tables(LIVE), []
            for table, columns in session.tables(STAGED).items():
                # A leftover of dbt.
                if "__dbt_" in table:
                    continue
                if live.get(table) != columns:
                    session.clone(f"{LIVE}.{table}", f"{STAGED}.{table}")
                    continue
                if built is not None and table not in built:
                    continue
                names = ", ".join(columns)
                statements.append(f"delete from {LIVE}.{table} where true")
                statements.append(
                    f"insert into {LIVE}.{table} ({names}) select {names} from {STAGED}.{table}"
                )
            session.together(statements)
            if session.has(BUILT):
                session.clone(PUBLISHED, BUILT)


def merge_statement(name: str, incoming: str, key: str, columns: list[str], load_id: int) -> str:
    """The MERGE that inserts new rows and replaces those that differ, and no others."""
    others = [column for column in columns if column != key]
    differs = " or ".join(f"held.{column} is distinct from incoming.{column}" for column in others)
    updates = ", ".join(f"{column} = incoming.{column}" for column in others)
    values = ", ".join(f"incoming.{column}" for column in columns)
    # BigQuery reserves the word NEW.
    return f"""
        merge into {name} as held using {incoming} as incoming on held.{key} = incoming.{key}
        when matched and ({differs}) then update set {updates}, load_id = {load_id}
        when not matched then insert ({", ".join(columns)}, load_id) values ({values}, {load_id})
    """


@contextmanager
def parquet_files(rows: pads.Scanner, time: pa.DataType) -> Iterator[list[Path]]:
    """The rows in Parquet files that live as long as the block; none if there are no rows."""
    schema = pa.schema(
        [
            column.with_type(time) if pa.types.is_timestamp(column.type) else column
            for column in rows.projected_schema
        ]
    )
    batches = (batch.cast(schema) for batch in rows.to_batches())
    with tempfile.TemporaryDirectory() as folder:
        pads.write_dataset(
            pa.RecordBatchReader.from_batches(schema, batches),
            folder,
            format="parquet",
            max_rows_per_file=ROWS_PER_FILE,
            max_rows_per_group=ROWS_PER_FILE // 4,
        )
        yield sorted(path for path in Path(folder).iterdir() if pads.dataset(path).count_rows())
