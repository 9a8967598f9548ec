"""Lake tables as Spark reads and writes them: overwrite, or upsert by key.

The number of rows that a write changes is computed before it and compared after it.
"""

import math
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from lake.delta import Lake, commit
from lake.right import check_right
from lake.source_table import DELETED_AT, SourceTable

# Set in a session whose engine, Sail, runs in this process (engine/session.py).
EMBEDDED = "pipeline.engine.embedded"
# Rows that a merge holds in this process's memory.
MERGED_AT_ONCE = 500_000


class CountMismatch(Exception):
    """A write that changed another number of rows than was computed before it."""


@dataclass(frozen=True)
class Upserted:
    """Row counts of an upsert: `written` are now in the table, `stale` were there already or older."""

    written: int
    stale: int


def read_table(spark: SparkSession, lake: Lake, name: str) -> DataFrame:
    """The present rows of the lake table `name` (`<layer>.<table>`)."""
    return spark.read.format("delta").load(lake.uri(name))


def read_silver(spark: SparkSession, lake: Lake, table: SourceTable) -> DataFrame:
    """The present rows of a source table's silver, without those that are gone."""
    return without_gone(read_table(spark, lake, f"silver.{table.name}"), table)


def without_gone(rows: DataFrame, table: SourceTable) -> DataFrame:
    """Rows of a source table's silver, without those that are gone, unless such rows are kept."""
    is_hidden = table.hides_deleted and DELETED_AT in rows.columns
    return rows.where(F.col(DELETED_AT).isNull()) if is_hidden else rows


def overwrite(rows: DataFrame, lake: Lake, name: str) -> int:
    """Replace the table by `rows` in one commit; returns the number of rows."""
    check_right()
    rows.write.format("delta").mode("overwrite").option("overwriteSchema", "true").save(lake.uri(name))
    return row_count(DeltaTable(lake.uri(name)))


def append(rows: DataFrame, lake: Lake, name: str) -> None:
    """Append `rows` to the table, or make it of them, in one commit."""
    check_right()
    rows.write.format("delta").mode("append").save(lake.uri(name))


def upsert(
    spark: SparkSession, rows: DataFrame, lake: Lake, name: str, key: str, wins_by: list[str], wins: str
) -> Upserted:
    """Write those of `rows` (unique on `key`) with a new key, and those that win.

    In one commit, or in several if the engine is embedded and the rows are many. `wins` is a SQL condition
    over `new` and `old` that says when a row replaces the one with its key; it may use only the columns
    `wins_by` of `old`. A second time changes nothing.
    Raises CountMismatch if the commit wrote another number of rows than was computed before it.
    """
    table = lake.table(name)
    if table is None or not table.file_uris():
        append(rows, lake, name)
        return Upserted(written=row_count(DeltaTable(lake.uri(name))), stale=0)

    # A table from before a column was added to its contract.
    lake.add_columns(name, to_arrow_schema(rows.schema, timezone="UTC"))
    old = read_table(spark, lake, name).select(F.col(key).alias("_key"), *wins_by).alias("old")
    compared = rows.alias("new").join(old, F.col(f"new.{key}") == F.col("old._key"), "left")
    is_new = F.col("old._key").isNull()
    fresh, winners, total = compared.agg(
        F.coalesce(F.sum(is_new.cast("long")), F.lit(0)),
        F.coalesce(F.sum((~is_new & F.expr(wins)).cast("long")), F.lit(0)),
        F.count("*"),
    ).collect()[0]
    if fresh + winners:
        # Else the keys of all of the table would be read again.
        changed = rows if fresh == total else compared.where(is_new | F.expr(wins)).select("new.*")
        before = row_count(table)
        if winners and spark.conf.get(EMBEDDED, ""):
            _merge_here(changed, lake, name, key, fresh + winners)
        elif winners:
            _merge(spark, changed, lake, name, key)
        else:
            append(changed, lake, name)
        grown = row_count(DeltaTable(lake.uri(name))) - before
        if grown != fresh:
            raise CountMismatch(f"{name}: {fresh} new keys were expected, the table grew by {grown} rows")
    return Upserted(written=fresh + winners, stale=total - fresh - winners)


def row_count(table: DeltaTable) -> int:
    """Rows in the table, from the statistics in its log."""
    return sum(pa_count or 0 for pa_count in table.get_add_actions(flatten=True)["num_records"].to_pylist())


def _merge_here(changed: DataFrame, lake: Lake, name: str, key: str, rows: int) -> None:
    """Merge with delta-rs: Sail would join the changed rows with all of the table four times."""
    parts = math.ceil(rows / MERGED_AT_ONCE)
    for part in range(parts):
        of_part = changed.where(F.pmod(F.xxhash64(key), F.lit(parts)) == part) if parts > 1 else changed
        table = DeltaTable(lake.uri(name))
        schema = pa.schema(table.schema().to_arrow())
        same = f"old.{key} = new.{key}"
        source = of_part.toArrow().select(schema.names).cast(schema)
        merge = table.merge(source, same, "new", "old", streamed_exec=False, commit_properties=commit())
        merge.when_matched_update_all().when_not_matched_insert_all().execute()


def _merge(spark: SparkSession, changed: DataFrame, lake: Lake, name: str, key: str) -> None:
    check_right()
    # A view of its own per table: threads that merge into several tables share the session.
    view = f"changed_{name.replace('.', '_')}"
    changed.createOrReplaceTempView(view)
    spark.sql(
        f"merge into delta.`{lake.uri(name)}` as old using {view} as new on old.{key} = new.{key} "
        "when matched then update set * when not matched then insert *"
    ).collect()
