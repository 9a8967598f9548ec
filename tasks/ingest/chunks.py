"""The rows of a window that bronze does not hold, read in chunks of keys by several connections at once."""

import itertools
import math
import queue
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import DeltaTable
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from blocks.settings.failures import DataFailure
from blocks.settings.fields import ShopFields
from blocks.shop_snapshot import snapshot_readers
from lake.delta import Lake
from tasks.ingest.bronze import held_rows, unseen
from tasks.ingest.extract_window import Window, window_condition
from tasks.ingest.read_concurrently import WORKERS, interleave
from tasks.shop.postgres_copy import copy_batches
from tasks.shop.relation import SQL, Relation

# Small enough that the keys of one chunk fit in memory many times over.
CHUNK_ROWS = 500_000
# Keys per chunk that are looked at to find where it ends.
SAMPLED_KEYS = 200

Chunk = tuple[Any, Any]
"""Keys from the first, which may be None for no limit, up to and without the second."""


def window_batches(
    connection: Connection, settings: ShopFields, lake: Lake, relation: Relation, window: Window
) -> Iterator[pa.RecordBatch]:
    """The rows in `window` that bronze does not hold, read by WORKERS connections in one snapshot.

    By the given one alone where a pooler or the server has no more of them.
    """
    in_window, bronze = window_condition(relation, window), lake.table(f"bronze.{relation.table.name}")
    with connection.cursor() as cursor:
        cursor.execute(SQL("select count(*) from {} where {}").format(relation.source, in_window))
        [(rows,)] = cursor.fetchall()
        chunks = math.ceil(rows / CHUNK_ROWS)
        sample: list[Any] = []
        if chunks > 1:
            share = chunks * SAMPLED_KEYS / rows
            cursor.execute(
                SQL("select {key} from {source} where {window} and random() < {share} order by 1").format(
                    key=relation.key, source=relation.source, window=in_window, share=sql.Literal(share)
                )
            )
            sample = [key for (key,) in cursor.fetchall() if key is not None]
    ranges = key_ranges(sample, chunks)
    with snapshot_readers(settings, connection, WORKERS if len(ranges) > 1 else 0) as readers:
        free: queue.SimpleQueue[Connection] = queue.SimpleQueue()
        for reader in readers.connections or (connection,):
            free.put(reader)
        streams = [partial(_chunk_batches, free, bronze, relation, window, chunk) for chunk in ranges]
        yield from interleave(streams, workers=len(readers.connections) or 1)


def key_ranges(sample: Sequence[Any], chunks: int) -> list[Chunk]:
    """Split the keys into `chunks` ranges of about as many rows each, by a sorted sample of them.

    The ranges are half-open and cover every key. None is unbounded; rows without a key belong to the first.
    """
    if not chunks:
        return []
    ends = {sample[len(sample) * number // chunks] for number in range(1, chunks)} if sample else set()
    # The database's order, which may not be Python's.
    bounds = [None, *(key for key in dict.fromkeys(sample) if key in ends), None]
    return list(itertools.pairwise(bounds))


def _chunk_batches(
    free: "queue.SimpleQueue[Connection]",
    bronze: DeltaTable | None,
    relation: Relation,
    window: Window,
    chunk: Chunk,
) -> Iterator[pa.RecordBatch]:
    table, (low, high) = relation.table, chunk
    in_source = [window_condition(relation, window)]
    in_bronze = pads.field(table.cursor) < pa.scalar(window.end)
    if window.start is not None:
        in_bronze &= pads.field(table.cursor) >= pa.scalar(window.start)
    # Texts are ordered by the database's rules, which are not the lake's: all of the window's are held.
    narrow = pa.types.is_integer(table.schema.field(table.key).type) and isinstance(low or high, int)
    key = pads.field(table.key)
    if high is not None:
        beyond = SQL("{0} < {1}" if low is not None else "({0} < {1} or {0} is null)")
        in_source.append(beyond.format(relation.key, sql.Literal(high)))
        if narrow:
            in_bronze &= (key < high) if low is not None else ((key < high) | key.is_null())
    if low is not None:
        in_source.append(SQL("{} >= {}").format(relation.key, sql.Literal(low)))
        if narrow:
            in_bronze &= key >= low
    held = held_rows(bronze, [table.key, table.cursor], in_bronze)
    schema = relation.copy_schema
    connection = free.get()
    try:
        rows = read_rows(connection, relation, SQL(" and ").join(in_source))
        yield from unseen(rows, held, [table.key, table.cursor], schema)
    finally:
        free.put(connection)


def read_rows(connection: Connection, relation: Relation, where: sql.Composable) -> Iterator[pa.RecordBatch]:
    """The rows that `where` selects, in the relation's `copy_schema`. Raises DataFailure."""
    try:
        yield from copy_batches(connection, relation.copy_query(where), relation.copy_schema)
    except pa.ArrowInvalid as error:
        raise DataFailure(
            f"{relation.table.name} holds a value that cannot be read: {error}; correct it in the shop's "
            f"database, or leave its row out in SHOP_QUERIES/{relation.table.name}.sql"
        ) from error
