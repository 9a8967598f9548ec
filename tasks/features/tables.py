"""The feature tables in the lake: a partition per day, written in one commit, the same whenever computed."""

import datetime as dt
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import tzinfo
from typing import cast

import duckdb
import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import DeltaTable, write_deltalake

from lake.catalog import catalog
from lake.delta import Lake, commit
from lake.local_sql import connect
from lake.source_table import READ_AT
from tasks.features.contract import FEATURE_DATE, Entity, FeatureTable, feature_tables
from tasks.features.known import Day, day_of
from tasks.features.queries import feature_query

SOURCES = ("orders", "customers", "products")


@contextmanager
def reading_versions(lake: Lake) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in which `<table>_versions` are the versions of each source table, read lazily."""
    with connect() as connection:
        for name in SOURCES:
            register_versions(connection, lake, name)
        yield connection


def register_versions(connection: duckdb.DuckDBPyConnection, lake: Lake, table: str) -> None:
    """Make `versions.<table>` readable as `<table>_versions`; without any, it is empty."""
    name = f"versions.{table}"
    none = catalog()[table].silver_schema.empty_table()
    connection.register(f"{table}_versions", lake.rows_since(name, None) if lake.table(name) else none)


def first_read(connection: duckdb.DuckDBPyConnection) -> dt.datetime | None:
    """The moment at which the lake first learned of an order; None before that."""
    [(moment,)] = connection.execute(f"select min({READ_AT}) from orders_versions").fetchall()
    return cast(dt.datetime | None, moment)


def features(connection: duckdb.DuckDBPyConnection, entity: Entity, day: Day) -> pa.RecordBatchReader:
    """The rows of an entity's feature table of a day, in the contract's columns and the order of keys."""
    schema = feature_tables()[entity].schema
    query = feature_query(entity, day.is_reconstructed)
    # All of it before the first row leaves: whoever writes them to the lake holds the threads that read it.
    connection.execute("drop table if exists computed")
    connection.sql(query, params=day.parameters).create("computed")
    found = connection.sql("from computed").to_arrow_reader()
    return pa.RecordBatchReader.from_batches(schema, (_cast(batch, schema) for batch in found))


def write_day(connection: duckdb.DuckDBPyConnection, lake: Lake, table: FeatureTable, day: Day) -> None:
    """Write a day's partition of a feature table, or replace it."""
    uri = lake.uri(table.lake_name)
    DeltaTable.create(uri, table.schema, mode="ignore", partition_by=[FEATURE_DATE])
    write_deltalake(
        uri,
        features(connection, table.entity, day),
        mode="overwrite",
        predicate=f"{FEATURE_DATE} = '{day.date}'",
        commit_properties=commit(),
    )


def written_days(lake: Lake, table: FeatureTable) -> set[dt.date]:
    """The days that a feature table has rows of."""
    held = lake.table(table.lake_name)
    return {dt.date.fromisoformat(part[FEATURE_DATE]) for part in held.partitions()} if held else set()


def feature_rows(lake: Lake, table: FeatureTable, days: list[dt.date]) -> pads.Dataset:
    """The rows of a feature table of some days, read lazily, from their partitions alone."""
    dates = [day.isoformat() for day in days]
    return DeltaTable(lake.uri(table.lake_name)).to_pyarrow_dataset(
        file_pruning_predicate=[(FEATURE_DATE, "in", dates)]
    )


def days_between(first: dt.date, last: dt.date, zone: tzinfo, read: dt.datetime) -> Iterable[Day]:
    """The days from `first` to `last`, both included; `read` is the lake's first read."""
    dates = (first + dt.timedelta(days=number) for number in range((last - first).days + 1))
    return (day_of(date, zone, read) for date in dates)


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    [cast_batch] = pa.Table.from_batches([batch]).cast(schema).combine_chunks().to_batches() or [
        pa.RecordBatch.from_pylist([], schema)
    ]
    return cast_batch
