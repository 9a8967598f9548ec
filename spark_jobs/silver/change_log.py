"""Silver of a table whose bronze is a change log: one row per key, the newest valid version.

The version that was read last is the newest: the source has one version of a row at a time, and its cursor
may be wrong, stand still or go back. A row that is gone (`deleted_at`) stays as the memory of that, without
values if deletes are followed; readers of silver leave it out (`SourceTable.hides_deleted`).

A source table needs no code of its own for this: key, cursor, columns and row rules come from its contract.
A table with rules that no contract can express has a module of its name beside this one (orders.py).
"""

from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from operator import and_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import from_arrow_schema, from_arrow_type
from pyspark.sql.types import DecimalType, StructField, TimestampType

from lake import source_table
from lake.source_table import DELETED_AT, READ_AT, REPLAY_OF, ROW_HASH, UNREADABLE, SourceTable
from spark_jobs.rows import REJECT_REASON, flag, if_rejected
from spark_jobs.silver.job import SilverJob

Rules = dict[str, Column]
# A version without `read_at` was read before there was such a column, so before any other.
WINS = """case
    when new.{read} is null and old.{read} is null or new.{read} = old.{read}
        then coalesce(new.{cursor} > old.{cursor}, false)
    when old.{read} is null then true
    when new.{read} is null then false
    else new.{read} > old.{read}
end"""


def change_log_job(table: SourceTable, own_rules: Callable[[str], Rules] = lambda timezone: {}) -> SilverJob:
    """The job of a table whose bronze is unique on (key, cursor).

    `own_rules` makes further row rules for the shop's time zone; they come after those of the contract.
    """
    silver = from_arrow_schema(table.silver_schema)
    others = [name for name in silver.fieldNames() if name not in (READ_AT, table.cursor)]

    def flag_versions(bronze: DataFrame, timezone: str) -> DataFrame:
        rules = {**row_rules(table), **own_rules(timezone)}
        if table.hides_deleted:
            # There are no values to judge.
            is_gone = F.col(DELETED_AT).isNotNull()
            rules = {name: is_gone | rule for name, rule in rules.items()}
        return _with_audit_columns(flag(bronze, rules), table, timezone)

    return SilverJob(
        table=table.name,
        key=table.key,
        bronze=from_arrow_schema(table.bronze_schema),
        silver=silver,
        flag=flag_versions,
        order=lambda: [
            F.col(READ_AT).desc_nulls_last(),
            F.col(table.cursor).desc_nulls_last(),
            *map(F.col, others),
        ],
        wins_by=[READ_AT, table.cursor],
        wins=WINS.format(read=READ_AT, cursor=table.cursor),
    )


def row_rules(table: SourceTable) -> Rules:
    """The contract's row rules by name, in the order of its columns.

    Key and cursor are required, whatever the contract says: no newer version could replace a row without one.
    First comes whether the lake's type could hold the value at all.
    """
    return {
        name: condition
        for column in table.columns
        for name, condition in {
            f"{column.name}_readable": _is_readable(column.name),
            **_column_rules(column, column.name in (table.key, table.cursor)),
        }.items()
    }


def _is_readable(column: str) -> Column:
    return F.col(UNREADABLE).isNull() | ~F.col(UNREADABLE).contains(f'"{column}":')


def business_date(cursor: str, timezone: str) -> Column:
    """The shop's business day on which a row's present version was written."""
    return F.to_date(F.from_utc_timestamp(cursor, timezone))


def _column_rules(column: source_table.Column, is_version: bool) -> Rules:
    value = F.col(column.name)
    rules: Rules = {}
    if bounds := _bounds(column):
        rules[f"{column.name}_in_range"] = reduce(and_, bounds)
    if lengths := _lengths(column):
        rules[f"{column.name}_length"] = reduce(and_, lengths)
    if pattern := column.options.get("pattern"):
        rules[f"{column.name}_matches"] = value.rlike(pattern)
    if column.valid_values:
        rules[f"{column.name}_known"] = value.isin(*column.valid_values)
    if column.is_required or is_version:
        # A rule that a null breaks says more than that there must be a value.
        return rules or {f"{column.name}_not_null": value.isNotNull()}
    return {name: value.isNull() | condition for name, condition in rules.items()}


def _bounds(column: source_table.Column) -> list[Column]:
    value, options = F.col(column.name), column.options
    compare: dict[str, Callable[[Column], Column]] = {
        "minimum": lambda bound: value >= bound,
        "exclusiveMinimum": lambda bound: value > bound,
        "maximum": lambda bound: value <= bound,
        "exclusiveMaximum": lambda bound: value < bound,
    }
    return [test(_literal(column, options[name])) for name, test in compare.items() if name in options]


def _literal(column: source_table.Column, bound: Any) -> Column:
    if isinstance(bound, str):
        return F.lit(bound).cast(from_arrow_type(column.arrow_type))
    return F.lit(Decimal(str(bound)))


def _lengths(column: source_table.Column) -> list[Column]:
    length, options = F.length(column.name), column.options
    return [
        *([length >= options["minLength"]] if "minLength" in options else []),
        *([length <= options["maxLength"]] if "maxLength" in options else []),
    ]


def _with_audit_columns(flagged: DataFrame, table: SourceTable, timezone: str) -> DataFrame:
    """Add AUDIT_COLUMNS to the flagged rows; `raw` is the row as JSON."""
    left_out = (REJECT_REASON, READ_AT, ROW_HASH, REPLAY_OF)
    source_columns = [_exact(field) for field in flagged.schema.fields if field.name not in left_out]
    text = F.col(table.key).cast("string")
    # A row without a cursor, or with one in the future, became true when it was read, at the latest.
    known_at = F.least(table.cursor, READ_AT)
    return flagged.withColumns(
        {
            "ds": F.to_date(F.from_utc_timestamp(known_at, timezone)),
            "key": if_rejected(text),
            "occurred_at": if_rejected(known_at),
            "origin": if_rejected(F.concat(F.lit(f"{table.name}/"), F.coalesce(text, F.lit("null")))),
            "raw": if_rejected(F.to_json(F.struct(*source_columns))),
        }
    ).drop(UNREADABLE, ROW_HASH, REPLAY_OF)


def _exact(field: StructField) -> Column:
    # As JSON values, Apache Spark cuts times to milliseconds and Sail spells 0.10 as 0.1: text is exact.
    column = F.col(field.name)
    as_text = isinstance(field.dataType, DecimalType | TimestampType)
    return column.cast("string").alias(field.name) if as_text else column
