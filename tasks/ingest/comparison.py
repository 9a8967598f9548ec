"""The comparison of a source table with bronze, key by key: what is gone, and what no window has brought.

A cursor finds the rows that it sees. It does not see a row that is deleted, one that was committed later than
the overlap reaches, or one whose cursor is null, in the future or set back. Counts and checksums per bucket
of keys say where source and bronze differ; keys are compared one by one in those buckets only.

Rows whose cursor lies between the end of the window and the source's clock are left out: the next run's.
"""

import datetime as dt
from dataclasses import dataclass, field

import duckdb
import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from lake.delta import Lake
from lake.local_sql import connect
from lake.source_table import SourceTable
from tasks.ingest.extract_window import since_condition
from tasks.shop.postgres_copy import copy_batches
from tasks.shop.relation import SQL, Relation, hash_of

# A power of two; a bucket of a table of five million rows has about 1,200 keys.
BUCKETS = 4096
# Below 2^32, so that its square is a bigint.
MODULUS = 1_000_003

# Most keys have one version, of which nothing needs to be the newest: that halves the time.
PRESENT = """
create temp table present as
with counted as (
    select
        {key} as key,
        count(*) as versions,
        any_value({version}) as version,
        bool_or(deleted_at is not null) as is_deleted
    from bronze
    where {key} is not null
    group by {key}
),
several as (
    select
        {key} as key,
        arg_max(
            {{'version': {version}, 'deleted_at': deleted_at}},
            {{
                'read': coalesce(epoch_us(read_at), -1),
                'cursor': coalesce(epoch_us({cursor}), (-9e18)::bigint)
            }}
        ) as newest
    from bronze
    where {key} in (select counted.key from counted where versions > 1)
    group by {key}
)
select key, version, is_deleted from counted where versions = 1
union all
select key, newest.version, newest.deleted_at is not null from several
"""
# `extract` is exact and slow. `date_part`, a double, is exact to the microsecond until 2106.
MICROSECONDS = """
case when {0} between '1900-01-01' and '2100-01-01'
    then (date_part('epoch', {0}) * 1000000)::bigint
    else (extract(epoch from {0}) * 1000000)::bigint
end
"""
LIVE = "from present where not is_deleted and key not in (select later.key from later)"


@dataclass
class Difference:
    """What a comparison has found."""

    table: str
    unseen: list[object] = field(default_factory=list)
    """Keys of which bronze lacks the present version."""
    gone: list[object] = field(default_factory=list)
    """Keys that bronze has and the source has no more."""
    live: int = 0
    """Number of rows that bronze took for present before."""

    def is_mass_delete(self, share: float, rows: int) -> bool:
        """Whether so many rows are gone that somebody should look: above `share`, and at least `rows`."""
        return len(self.gone) >= rows and len(self.gone) > share * self.live


def later_condition(relation: Relation, end: dt.datetime) -> sql.Composable:
    """The rows that belong to the next run: changed at `end` or after it, by the source's own clock."""
    if relation.table.changes == "snapshot":
        return SQL("false")
    cursor = relation.value(relation.table.cursor)
    # A null cursor is not later.
    return SQL("coalesce({0} >= {1} and {0} <= transaction_timestamp(), false)").format(
        cursor, sql.Literal(end)
    )


def later_rows(relation: Relation, end: dt.datetime) -> sql.Composable:
    """`later_condition` for a WHERE of its own, which an index on the cursor serves."""
    later = later_condition(relation, end)
    if relation.table.changes == "snapshot":
        return later
    return SQL("{} and {}").format(since_condition(relation, end), later)


def compare(connection: Connection, lake: Lake, relation: Relation, end: dt.datetime) -> Difference:
    """Compare the source, in the connection's snapshot, with bronze; rows without a key are left out."""
    table = relation.table
    later = later_condition(relation, end)
    with connect() as local:
        _register(local, "later", _later(connection, relation, later_rows(relation, end)))
        _hold_present(local, lake, table)
        [(live,)] = local.sql(f"select count(*) {LIVE}").fetchall()
        source = _source_buckets(connection, relation, later)
        differing = _differing(local, source, table)
        if not differing:
            return Difference(table.name, live=live)
        _register(local, "source", _source_keys(connection, relation, later, differing))
        return Difference(
            table.name,
            unseen=_keys(
                local,
                f"select key from source anti join (select * {LIVE}) as held"
                " on source.key = held.key and source.version is not distinct from held.version",
            ),
            gone=_keys(
                local,
                f"select key from (select * {LIVE}) as held where {_bucket(table)} in"
                " (select bucket from differing) and key not in (select source.key from source)",
            ),
            live=live,
        )


def _later(connection: Connection, relation: Relation, later: sql.Composable) -> pa.Table:
    schema = pa.schema([("key", relation.table.schema.field(relation.table.key).type)])
    query = SQL("copy (select {} as key from {} where {} and {} is not null) to stdout (format csv, header)")
    return _read(
        connection,
        query.format(relation.value(relation.table.key), relation.source, later, relation.key),
        schema,
    )


def _hold_present(local: duckdb.DuckDBPyConnection, lake: Lake, table: SourceTable) -> None:
    version = "row_hash" if table.changes == "snapshot" else f"epoch_us({table.cursor})"
    local.register("bronze", lake.rows_since(f"bronze.{table.name}", None))
    local.execute(PRESENT.format(key=table.key, version=version, cursor=table.cursor))
    local.unregister("bronze")


def _source_buckets(connection: Connection, relation: Relation, later: sql.Composable) -> pa.Table:
    query = SQL(
        "copy (select hash & {mask} as bucket, count(*) as rows, sum(hash) as keys, "
        "sum((hash % {modulus}) * (hash % {modulus})) as squares, sum(version) as versions "
        "from (select {hash} as hash, {version} as version from {source} "
        "where not {later} and {key} is not null) as hashed group by 1) to stdout (format csv, header)"
    ).format(
        mask=sql.Literal(BUCKETS - 1),
        modulus=sql.Literal(MODULUS),
        hash=_source_hash(relation),
        version=_source_version(relation),
        source=relation.source,
        later=later,
        key=relation.key,
    )
    wide = pa.decimal128(38, 0)
    schema = pa.schema(
        [("bucket", pa.int64()), ("rows", pa.int64()), ("keys", wide), ("squares", wide), ("versions", wide)]
    )
    return _read(connection, query, schema)


def _differing(local: duckdb.DuckDBPyConnection, source: pa.Table, table: SourceTable) -> list[int]:
    """The buckets in which source and bronze differ, also kept as the table `differing`."""
    local.register("source_buckets", source)
    local.execute(
        f"create temp table held_buckets as select {_bucket(table)} as bucket, count(*) as rows,"
        f" sum({_hash(table)}) as keys,"
        f" sum(({_hash(table)} % {MODULUS}) * ({_hash(table)} % {MODULUS})) as squares,"
        f" sum(version) as versions {LIVE} group by 1"
    )
    same = " and ".join(
        f"source.{name} is not distinct from held.{name}" for name in ("rows", "keys", "squares", "versions")
    )
    local.execute(
        "create temp table differing as select coalesce(source.bucket, held.bucket) as bucket "
        "from source_buckets as source full join held_buckets as held on source.bucket = held.bucket "
        f"where not ({same}) or source.bucket is null or held.bucket is null"
    )
    local.unregister("source_buckets")
    return [bucket for (bucket,) in local.sql("select bucket from differing order by 1").fetchall()]


def _source_keys(
    connection: Connection, relation: Relation, later: sql.Composable, buckets: list[int]
) -> pa.Table:
    """Grain: one row per key in these buckets; of a key that the source has twice, the newest version."""
    in_buckets = SQL("({} & {}) = any({})").format(
        _source_hash(relation), sql.Literal(BUCKETS - 1), sql.Literal(buckets)
    )
    query = SQL(
        "copy (select key, max(version) as version from "
        "(select {key} as key, {version} as version from {source} "
        "where not {later} and {raw} is not null and {in_buckets}) as keyed group by key) "
        "to stdout (format csv, header)"
    ).format(
        key=relation.value(relation.table.key),
        version=_source_version(relation),
        source=relation.source,
        later=later,
        raw=relation.key,
        in_buckets=SQL("true") if len(buckets) == BUCKETS else in_buckets,
    )
    key = relation.table.schema.field(relation.table.key)
    return _read(connection, query, pa.schema([("key", key.type), ("version", pa.int64())]))


def _source_hash(relation: Relation) -> sql.Composable:
    key = relation.value(relation.table.key)
    return SQL("{}::bigint").format(key) if _is_integer(relation.table) else hash_of(key)


def _source_version(relation: Relation) -> sql.Composable:
    if relation.table.changes == "snapshot":
        return relation.row_hash()
    return SQL(MICROSECONDS).format(relation.value(relation.table.cursor))


def _hash(table: SourceTable) -> str:
    """The key's hash as DuckDB computes it, the same number as PostgreSQL's."""
    return "key::bigint" if _is_integer(table) else "('0x' || left(md5(key), 15))::bigint"


def _bucket(table: SourceTable) -> str:
    return f"({_hash(table)} & {BUCKETS - 1})"


def _is_integer(table: SourceTable) -> bool:
    return pa.types.is_integer(table.schema.field(table.key).type)


def _read(connection: Connection, query: sql.Composed, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_batches(copy_batches(connection, query, schema), schema)


def _register(local: duckdb.DuckDBPyConnection, name: str, rows: pa.Table) -> None:
    # A table of DuckDB's own: its statistics tell the planner which side of a join is small.
    local.register("incoming", rows)
    local.execute(f"create temp table {name} as select * from incoming")
    local.unregister("incoming")


def _keys(local: duckdb.DuckDBPyConnection, query: str) -> list[object]:
    return [key for (key,) in local.sql(f"select key from ({query}) order by key").fetchall()]
