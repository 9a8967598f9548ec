"""Row-level building blocks of the jobs: flag, deduplicate, require a schema. Pure, on any Spark engine."""

from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

REJECT_REASON = "reject_reason"


class SchemaMismatch(Exception):
    """A transform's output that differs from its declared schema; lists every difference."""


def flag(rows: DataFrame, rules: dict[str, Column]) -> DataFrame:
    """Add `reject_reason`: the name of the first rule that a row breaks, or null.

    A rule that evaluates to null counts as broken: a row must prove that it is valid.
    """
    reason = reduce(
        lambda outcome, rule: F.when(~F.coalesce(rule[1], F.lit(False)), F.lit(rule[0])).otherwise(outcome),
        reversed(list(rules.items())),
        F.lit(None).cast("string"),
    )
    return rows.withColumn(REJECT_REASON, reason)


def if_rejected(value: str | Column) -> Column:
    """The value in rows that `flag` has rejected, null in all others."""
    return F.when(F.col(REJECT_REASON).isNotNull(), F.col(value) if isinstance(value, str) else value)


def repeated_hashes(rows: DataFrame, key: str) -> DataFrame:
    """The hashes, as `_hash`, of the keys that occur more than once.

    By hash, which takes half the memory; two keys of one hash only send rows the longer way.
    """
    return rows.groupBy(F.xxhash64(key).alias("_hash")).count().where("count > 1").select("_hash")


def first_per_key(
    rows: DataFrame, key: str, order: list[Column], repeated: DataFrame | None = None
) -> DataFrame:
    """One row per key: the first by `order`, which must be a total order among rows of one key.

    Only rows whose key may occur more than once, by its hash in `repeated`, go through the window: on wide
    rows with few duplicates that is several times cheaper than a window, or `dropDuplicates`, over all.
    """
    hashed = F.xxhash64(key)
    if repeated is None:
        repeated = repeated_hashes(rows, key)
    # A right join: Sail holds the left side, of which it cannot know that it is small.
    marked = F.broadcast(repeated).join(rows, hashed == F.col("_hash"), "right")
    is_repeated = F.col("_hash").isNotNull()
    kept = (
        marked.where(is_repeated)
        .withColumn("_rank", F.row_number().over(Window.partitionBy(key).orderBy(*order)))
        .where("_rank = 1")
    )
    return marked.where(~is_repeated).select(rows.columns).unionByName(kept.select(rows.columns))


def surplus(rows: DataFrame, key: str) -> int:
    """The number of rows that `first_per_key` would drop."""
    repeated = rows.groupBy(key).count().where("count > 1")
    return repeated.agg(F.sum(F.col("count") - 1)).collect()[0][0] or 0


def require_schema(rows: DataFrame, schema: StructType) -> DataFrame:
    """Return `rows` unchanged if its columns are exactly those declared (names, order and types).

    Raises SchemaMismatch otherwise.
    """
    declared = _columns(schema)
    actual = _columns(rows.schema)
    if actual != declared:
        missing = sorted(set(declared) - set(actual))
        unexpected = sorted(set(actual) - set(declared))
        if not missing and not unexpected:
            raise SchemaMismatch(
                f"produced in another order: {rows.columns}; declared: {schema.fieldNames()}"
            )
        raise SchemaMismatch(f"declared but not produced: {missing}; produced but not declared: {unexpected}")
    return rows


def _columns(schema: StructType) -> list[tuple[str, str]]:
    return [(field.name, field.dataType.simpleString()) for field in schema.fields]
