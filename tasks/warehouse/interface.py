"""The interfaces of a warehouse: its kind, the warehouse itself, and a connection to it."""

from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from typing import Literal, Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.dataset as pads
from pydantic import BaseModel

from blocks.settings.settings import Settings

Scope = Literal["first", "changes", "all"]
"""The rows of an upsert.

- `first`: all rows of the table, which holds nothing that counts yet
- `changes`: the rows that may have changed
- `all`: all rows of the table; others are removed
"""


class Session(Protocol):
    """A connection to a warehouse; SQL for it must mean the same on all three, and names `schema.table`."""

    def rows(self, query: str) -> pa.RecordBatchReader:
        """The answer to a query; column names in lower case."""
        ...

    def execute(self, statement: str) -> object:
        """Run a statement that has no answer."""
        ...

    def has(self, name: str) -> bool:
        """True if there is a table or view of this name."""
        ...

    def columns(self, name: str) -> list[str]:
        """The columns of a table or view; none if it does not exist."""
        ...

    def add_column(self, name: str, column: pa.Field) -> None:
        """Add a column of the lake to a table, null in every row."""
        ...

    def next_load_id(self) -> int:
        """A number that no load before has had."""
        ...

    def replace(self, name: str, rows: pa.Table) -> None:
        """Make a table hold these rows and no others."""
        ...

    def put(self, name: str, keys: Sequence[str], rows: pa.Table) -> None:
        """Add these rows to a table that has their columns, in place of its rows with the same keys."""
        ...

    def upsert(self, name: str, key: str, rows: pads.Scanner, load_id: int, scope: Scope) -> int:
        """Insert or replace the rows that differ, with this `load_id`; returns how many. Makes the table."""
        ...


# Prefect makes a schema of each flow's parameters, and tests them against it.
@runtime_checkable
class Warehouse(Protocol):
    """A warehouse that a run works on; it holds no connection and no credentials."""

    @property
    def gold(self) -> str:
        """The schema in which this run's marts are."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """A connection, closed at the end."""
        ...

    def publish(self, built: Collection[str] | None = None) -> None:
        """Let readers see the marts of this run, all at once; those of `built` are all that can differ."""
        ...

    def dbt_variables(self) -> dict[str, str]:
        """The environment variables that dbt/profiles.yml reads."""
        ...


class WarehouseKind(Protocol):
    """A kind of warehouse: the class of it, before one is opened."""

    def check(self, settings: Settings) -> None:
        """Try to reach the warehouse. Raises PipelineFailure."""
        ...

    def staged(self, settings: Settings) -> AbstractContextManager[Warehouse]:
        """A warehouse to build marts in that nobody reads yet, for one writer at a time.

        Raises TransientFailure if another run holds it, PermanentFailure if it cannot be had.
        """
        ...

    def live(self, settings: Settings) -> AbstractContextManager[Warehouse]:
        """The warehouse with the marts that people read; a change in it counts once it is published."""
        ...

    def reading(self, settings: Settings) -> AbstractContextManager[Session]:
        """A connection for queries on what people read, whoever writes."""
        ...


class Loaded(BaseModel):
    """Rows that a load inserted or changed, per table; `load_id` numbers the load."""

    load_id: int
    rows: dict[str, int]


def key_text(keys: Sequence[str]) -> str:
    """A SQL expression, the same in all three, for several columns as one text; nulls are equal."""
    return "concat(" + ", '/', ".join(f"coalesce(cast({key} as string), '')" for key in keys) + ")"
