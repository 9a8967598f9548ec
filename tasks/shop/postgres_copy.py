"""`COPY … TO STDOUT` as a stream of Arrow batches: constant memory, whatever the table's size."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pyarrow as pa
import pyarrow.csv as pacsv
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

BATCH_BYTES = 4 << 20


def copy_batches(connection: Connection, query: sql.Composed, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Run a COPY and yield its rows as Arrow batches of about BATCH_BYTES of CSV."""
    read_end, write_end = os.pipe()

    def pump() -> None:
        with os.fdopen(write_end, "wb") as sink, connection.cursor() as cursor:
            cursor.copy_expert(query, sink)

    with ThreadPoolExecutor(max_workers=1) as executor:
        pumped = executor.submit(pump)
        try:
            with os.fdopen(read_end, "rb") as source:
                yield from pacsv.open_csv(source, _READ, _PARSE, _convert(schema))
        except pa.ArrowInvalid:
            # A connection that breaks off leaves half a row behind: the break is the cause, not the row.
            if isinstance(pumped.exception(), psycopg2.Error):
                pumped.result()
            raise
        pumped.result()


_READ = pacsv.ReadOptions(block_size=BATCH_BYTES, use_threads=False)
_PARSE = pacsv.ParseOptions(newlines_in_values=True)


def _convert(schema: pa.Schema) -> pacsv.ConvertOptions:
    return pacsv.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
