"""Versions of a shop's rows as the lake has them, with the moments at which they were read."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from lake.catalog import catalog
from lake.delta import Lake


def version(row: dict[str, Any], read_at: dt.datetime) -> dict[str, Any]:
    """A row as it was read at a moment."""
    return {**row, "read_at": read_at, "deleted_at": None}


def tombstone(key: str, number: int, read_at: dt.datetime) -> dict[str, Any]:
    """A row that was noticed to be gone at a moment."""
    return {key: number, "read_at": read_at, "deleted_at": read_at}


def append_versions(lake: Lake, table: str, rows: Iterable[dict[str, Any]]) -> None:
    """Append versions as the Spark job does."""
    source = catalog()[table]
    personal = [column.name for column in source.columns if column.is_personal]
    found = pa.Table.from_pylist(list(rows), schema=source.silver_schema).drop_columns(personal)
    write_deltalake(lake.uri(f"versions.{table}"), found, mode="append")
