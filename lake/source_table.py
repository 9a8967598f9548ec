"""The facts of a source table, as every room reads them; they come from its contract (contract.py)."""

import re
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

TIMESTAMP = pa.timestamp("us", tz="UTC")

# The lake's type for each of PostgreSQL's, as `format_type` prints it: it holds every value without loss.
ARROW_TYPES = {
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "smallint": pa.int32(),
    "uuid": pa.string(),
    "boolean": pa.bool_(),
    "double precision": pa.float64(),
    "text": pa.string(),
    "date": pa.date32(),
    "timestamp with time zone": TIMESTAMP,
}

NUMERIC = re.compile(r"numeric\((\d+),(\d+)\)")

MOST_DIGITS = 38

# What bronze and silver know of a version of a row, besides its columns.
READ_AT, DELETED_AT = "read_at", "deleted_at"
# Bronze alone: the values that the lake's types cannot hold, as JSON; the hash of a row without a cursor; and
# of which row of quarantine a version is the replay (lake/quarantine.py, `replay_mark`).
UNREADABLE, ROW_HASH, REPLAY_OF = "unreadable", "row_hash", "replay_of"
VERSION = pa.schema([(READ_AT, TIMESTAMP), (DELETED_AT, TIMESTAMP)])
BRONZE_ONLY = pa.schema([(UNREADABLE, pa.string()), (ROW_HASH, pa.int64()), (REPLAY_OF, pa.string())])

Source = Literal["table", "file", "topic"]
"""A table of the shop's PostgreSQL, JSON lines in files, or a topic of Kafka."""
Changes = Literal["cursor", "snapshot"]
"""How changed rows are found: by the cursor, or by comparing all rows with those that bronze has."""


@dataclass(frozen=True)
class ColumnWarning:
    """A warning on a column: people are notified, no row is rejected."""

    metric: str
    """`nullValues`, `invalidValues`, or `custom` for an expectation of Great Expectations by name."""
    mostly: float
    """The share of rows, 0 to 1, that must pass."""
    consequence: str
    valid_values: tuple[Any, ...] = ()
    expectation: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """A column of a source table, as silver holds it."""

    name: str
    type: str
    """PostgreSQL's name of the type."""
    description: str
    is_required: bool
    is_unique: bool
    is_personal: bool
    valid_values: tuple[Any, ...]
    options: dict[str, Any]
    """Those of RULE_OPTIONS that the contract sets."""
    warnings: tuple[ColumnWarning, ...]
    warehouse_name: str | None
    """The column's name in the warehouse; None if the warehouse has no use for it."""
    timezone: str | None = None
    """The zone in which a source's times without a zone are read; None if they are refused."""
    sources: tuple[str, ...] = ()
    """The source's own columns, or fields of its lines and messages, that it is made of."""

    @property
    def arrow_type(self) -> pa.DataType:
        """The type in the lake."""
        return arrow_type(self.type)


@dataclass(frozen=True)
class SourceTable:
    """The facts of a source table. Grain: one row per `key`."""

    name: str
    source: Source
    description: str
    grain: str
    key: str
    key_consequence: str
    """The error in the figures if a key comes twice."""
    cursor: str
    """The column that says which of two versions of a row is the newer; of an event, when it happened."""
    deletes: Literal["follow", "keep"]
    """The effect of a delete in the source: the row leaves silver and gold too, or stays."""
    columns: tuple[Column, ...]
    freshness_hours: int | None
    """Age of the newest row, in hours, above which people are warned; None for no limit."""
    changes: Changes = "cursor"

    @property
    def is_event(self) -> bool:
        """True if its rows are events, which no newer version ever replaces."""
        return self.source != "table"

    @property
    def schema(self) -> pa.Schema:
        """The columns of the contract, with their types in the lake."""
        return pa.schema([(column.name, column.arrow_type) for column in self.columns])

    @property
    def silver_schema(self) -> pa.Schema:
        """The columns of the lake's silver; of a change log, with when a version was read, or missed."""
        return self.schema if self.is_event else pa.schema([*self.schema, *VERSION])

    @property
    def bronze_schema(self) -> pa.Schema:
        """The columns of a change log's bronze."""
        return pa.schema([*self.silver_schema, *BRONZE_ONLY])

    @property
    def hides_deleted(self) -> bool:
        """True if a row with `deleted_at` is no row any more, only the memory that there was one."""
        return not self.is_event and self.deletes == "follow"

    @property
    def warehouse_names(self) -> dict[str, str | None]:
        """The columns' names in the warehouse; None for what stays in the lake."""
        return {column.name: column.warehouse_name for column in self.columns}

    def column(self, name: str) -> Column:
        """The column of that name. Raises KeyError if there is none."""
        return {column.name: column for column in self.columns}[name]


def arrow_type(type_name: str) -> pa.DataType:
    """The lake's type for PostgreSQL's. Raises KeyError if there is none that holds it without loss."""
    numeric = NUMERIC.fullmatch(type_name)
    if numeric and 1 <= int(numeric[1]) <= MOST_DIGITS:
        return pa.decimal128(int(numeric[1]), int(numeric[2]))
    return ARROW_TYPES[type_name]
