"""Rows as bronze has them: versions of the shop's rows, and what is known of each besides its columns."""

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa

from lake.source_table import READ_AT
from tasks.shop.relation import Relation


def as_versions(
    batches: Iterator[pa.RecordBatch], relation: Relation, read_at: dt.datetime
) -> Iterator[pa.RecordBatch]:
    """The rows as bronze has them: with the moment at which they were read, and nothing deleted."""
    for batch in batches:
        rows = pa.Table.from_batches([batch])
        yield from as_bronze(rows, relation.table.bronze_schema, **{READ_AT: read_at}).to_batches()


def as_bronze(rows: pa.Table, schema: pa.Schema, **known: object) -> pa.Table:
    """The rows in bronze's schema: of each column the `known` value, else the rows' own, else null."""
    columns = [
        pa.repeat(pa.scalar(known[field.name], field.type), rows.num_rows)
        if field.name in known
        else rows[field.name]
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
