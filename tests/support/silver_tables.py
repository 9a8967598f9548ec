"""Silver and quarantine in the lake, written by hand, and a warehouse to load them into."""

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from lake.catalog import catalog
from lake.quarantine import QUARANTINE_SCHEMA
from tasks.warehouse.duckdb import DuckDBWarehouse
from tasks.warehouse.load import load_warehouse
from tests.support.platforms import Platform, lake_here
from tests.support.rows import DAY, at

SCHEMAS = {f"silver.{name}": table.silver_schema for name, table in catalog().items()}


def rejected(
    number: int, source: str, key: str | None, occurred_at: dt.datetime | None, **values: Any
) -> dict:
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


def moved(event_id: str, offset: int) -> dict[str, Any]:
    """A stock event, as the third partition of a topic brought it."""
    return {"event_id": event_id, "topic": "inventory", "partition": 2, "offset": offset}


class Silver:
    """Silver and quarantine in the lake, written directly."""

    def __init__(self, platform: Platform) -> None:
        self.lake = platform.lake
        for name, schema in SCHEMAS.items():
            self.append(name, schema=schema)
            self.append(name.replace("silver", "quarantine"), schema=QUARANTINE_SCHEMA)

    def append(self, name: str, *rows: dict[str, Any], schema: pa.Schema | None = None) -> None:
        schema = schema or (SCHEMAS.get(name, QUARANTINE_SCHEMA))
        write_deltalake(self.lake.uri(name), pa.Table.from_pylist(list(rows), schema=schema), mode="append")

    def replace(self, name: str, *rows: dict[str, Any]) -> None:
        schema = SCHEMAS.get(name, QUARANTINE_SCHEMA)
        write_deltalake(
            self.lake.uri(name), pa.Table.from_pylist(list(rows), schema=schema), mode="overwrite"
        )

    def delete(self, name: str, condition: str) -> None:
        DeltaTable(self.lake.uri(name)).delete(condition)


def load(staged: Path, full: bool = False) -> dict[str, int]:
    """Load into a DuckDB file; returns the rows per table, without those that did not change."""
    loaded = load_warehouse.fn(DuckDBWarehouse(staged, staged), lake_here(), full)
    return {table: rows for table, rows in loaded.rows.items() if rows}


def query(path: Path, statement: str) -> list[tuple]:
    with duckdb.connect(path) as connection:
        return connection.execute(statement).fetchall()
