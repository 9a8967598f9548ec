"""Appends to bronze: only rows that it does not hold yet, streamed, in one commit. No row leaves bronze."""

import itertools
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import DeltaTable, write_deltalake

from blocks.lake_storage import one_line, store_failure
from lake.delta import Lake, commit
from lake.local_sql import connect

# Delta application transactions of bronze tables: how far the source has been covered, and how busy its
# statistics said it had been when it was last compared as a whole.
COVERED, COMPARED = "covered-until", "compared-at"


def covered_until(lake: Lake, name: str) -> int | None:
    """The mark that `append` left, or None: everything in the source before it has been extracted."""
    return lake.progress(name, COVERED)


def unseen(
    batches: Iterator[pa.RecordBatch], held: pa.Table, key: list[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows of `batches` whose `key` is not in `held`; nulls are equal. Only `held` is in memory."""
    return _joined("anti", batches, held, key, schema) if held.num_rows else batches


def wanted(
    batches: Iterator[pa.RecordBatch], keys: pa.Table, key: list[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows of `batches` whose `key` is in `keys`; nulls are equal. Only `keys` is in memory."""
    return _joined("semi", batches, keys, key, schema)


def _joined(
    kind: str, batches: Iterator[pa.RecordBatch], held: pa.Table, key: list[str], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    counted = _Counted(batches)
    with connect() as connection:
        connection.register("held", held)
        connection.register("incoming", pa.RecordBatchReader.from_batches(schema, counted))
        condition = " and ".join(f"incoming.{column} is not distinct from held.{column}" for column in key)
        try:
            rows = connection.sql(f"select incoming.* from incoming {kind} join held on {condition}")
            for batch in rows.to_arrow_reader():
                yield from pa.Table.from_batches([batch]).cast(schema).to_batches()
        except Exception:
            # An error inside the stream comes back from DuckDB as another: raise the one that caused it.
            if counted.error is not None:
                raise counted.error from None
            raise


def held_rows(bronze: DeltaTable | None, columns: list[str], rows: pads.Expression) -> pa.Table:
    """`columns` of the rows that the bronze table, if there is one, holds and `rows` selects."""
    if bronze is None:
        return pa.table({column: [] for column in columns})
    return bronze.to_pyarrow_dataset().to_table(columns=columns, filter=rows)


def append(
    lake: Lake, name: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch], marks: dict[str, int]
) -> int:
    """Append `batches` and set the marks, in one commit; returns the rows.

    The batches may read tables of the lake, but none that they open themselves: a thread of delta-rs, of
    which there is one per core, waits for them, and to open a table takes one that is free.

    Makes no commit if there are no rows and the marks stay. COVERED only moves forward. A table that lacks
    columns of `schema` gets them; they are null in the rows it has. Raises PipelineFailure if the lake cannot
    be written, and whatever the batches raise; the table is then as it was.
    """
    counted = _Counted(batches)
    first = list(itertools.islice(counted, 1))
    table = lake.table(name)
    new = {mark: value for mark, value in marks.items() if _is_new(table, mark, value)}
    if not first and not new:
        return 0
    reader = pa.RecordBatchReader.from_batches(schema, itertools.chain(first, counted))
    properties = commit(new)
    try:
        lake.add_columns(name, schema)
        write_deltalake(lake.uri(name), reader, mode="append", commit_properties=properties)
    except Exception as error:
        # An error inside the stream comes back from Rust as text: raise the one that caused it.
        if counted.error is not None:
            raise counted.error from None
        raise store_failure(
            f"cannot write {lake.uri(name)} ({one_line(error)}); check LAKE_URI and its rights", error
        ) from error
    return counted.rows


def _is_new(table: DeltaTable | None, mark: str, value: int) -> bool:
    known = table.transaction_version(mark) if table else None
    return known is None or (value > known if mark == COVERED else value != known)


class _Counted(Iterator[pa.RecordBatch]):
    """Non-empty batches, counted, and the error that ended them."""

    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self.batches, self.rows = batches, 0
        self.error: Exception | None = None

    def __next__(self) -> pa.RecordBatch:
        try:
            while not (batch := next(self.batches)).num_rows:
                pass
        except StopIteration:
            raise
        except Exception as error:
            self.error = error
            raise
        self.rows += batch.num_rows
        return batch
