"""Rows that no window brings: versions that it could not see, rows that are gone, and rows read once more."""

import datetime as dt
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from lake.delta import rows_of
from lake.local_sql import connect
from lake.source_table import DELETED_AT, READ_AT, SourceTable
from tasks.ingest.bronze import unseen, wanted
from tasks.ingest.chunks import read_rows
from tasks.ingest.comparison import Difference, later_condition
from tasks.shop.relation import SQL, Relation
from tasks.shop.versions import as_bronze, as_versions

# So many keys are asked for by name, at once; for more in all, the whole table is read.
NAMED_KEYS, MOST_NAMED_KEYS = 1_000, 10_000
# The newest version of each key that bronze has.
NEWEST = """
select * exclude (_rank) from (
    select *, row_number() over (
        partition by {key} order by {order}
    ) as _rank
    from bronze where {where}
) where _rank = 1
"""


def unseen_versions(
    connection: Connection, relation: Relation, found: Difference, read_at: dt.datetime, end: dt.datetime
) -> Iterator[pa.RecordBatch]:
    """The present versions of the keys that bronze lacks."""
    rows = _rows_of(connection, relation, found.unseen, end)
    return as_versions(rows, relation, read_at)


def tombstones(
    bronze: DeltaTable | None, table: SourceTable, gone: list[object], read_at: dt.datetime
) -> Iterator[pa.RecordBatch]:
    """A row for each key that is gone: `deleted_at` says when that was noticed.

    Beside it only the key, if deletes are followed; if rows are kept, the last version that bronze has.
    """
    schema = table.bronze_schema
    keys = pa.table({table.key: pa.array(gone, schema.field(table.key).type)})
    rows = _newest(bronze, table, keys) if table.deletes == "keep" else keys
    yield from as_bronze(rows, schema, **{READ_AT: read_at, DELETED_AT: read_at}).to_batches()


def reread(
    connection: Connection,
    bronze: DeltaTable | None,
    relation: Relation,
    where: sql.Composable,
    found: Difference,
    read_at: dt.datetime,
) -> Iterator[pa.RecordBatch]:
    """The rows that `where` selects and that differ in any column from the newest version in bronze.

    Without those that `unseen_versions` brings.
    """
    rows = pa.Table.from_batches(read_rows(connection, relation, where), relation.copy_schema)
    known = pa.array(found.unseen, relation.table.schema.field(relation.table.key).type)
    rows = rows.filter(pc.invert(pc.is_in(rows[relation.table.key], known)))
    held = _newest(bronze, relation.table, rows.select([relation.table.key]))
    live = held.filter(held[DELETED_AT].is_null()) if held.num_rows else held
    names = relation.copy_schema.names
    fresh = unseen(iter(rows.to_batches()), live.select(names), names, relation.copy_schema)
    return as_versions(fresh, relation, read_at)


def _rows_of(
    connection: Connection, relation: Relation, keys: list[object], end: dt.datetime
) -> Iterator[pa.RecordBatch]:
    if len(keys) > MOST_NAMED_KEYS:
        present = SQL("not {}").format(later_condition(relation, end))
        key = relation.table.key
        those = pa.table({key: pa.array(keys, relation.table.schema.field(key).type)})
        rows = read_rows(connection, relation, present)
        yield from wanted(rows, those, [key], relation.copy_schema)
        return
    for begin in range(0, len(keys), NAMED_KEYS):
        some = [str(key) for key in keys[begin : begin + NAMED_KEYS]]
        yield from read_rows(connection, relation, key_condition(relation, some))


def key_condition(relation: Relation, keys: list[str]) -> sql.Composable:
    """The rows with these keys, on the column itself, so that its index can be used."""
    kind = relation.found[relation.table.key].name
    if kind == "enum":
        return SQL("{}::text = any({})").format(relation.key, sql.Literal(keys))
    array = SQL("bpchar" if kind == "character" else kind)
    return SQL("{} = any({}::{}[])").format(relation.key, sql.Literal(keys), array)


def _newest(bronze: DeltaTable | None, table: SourceTable, keys: pa.Table) -> pa.Table:
    """The newest version that bronze has of each of these keys."""
    if bronze is None:
        return table.bronze_schema.empty_table()
    order = f"{READ_AT} desc nulls last, {table.cursor} desc nulls last"
    with connect() as local:
        local.register("bronze", rows_of(bronze, bronze.file_uris()))
        local.register("wanted", keys)
        where = f"{table.key} in (select wanted.{table.key} from wanted)"
        rows = local.sql(NEWEST.format(key=table.key, order=order, where=where)).to_arrow_table()
        return rows.select(table.bronze_schema.names).cast(table.bronze_schema)
