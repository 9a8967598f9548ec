"""Silver of a table whose bronze is a change log: one row per key, the newest valid version.

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
from lake.source_table import SourceTable
from spark_jobs.rows import REJECT_REASON, flag, if_rejected
from spark_jobs.silver.job import SilverJob

Rules = dict[str, Column]


def change_log_job(table: SourceTable, own_rules: Callable[[str], Rules] = lambda timezone: {}) -> SilverJob:
    """The job of a table whose bronze is unique on (key, cursor).

    `own_rules` makes further row rules for the shop's time zone; they come after those of the contract.
    """
    schema = from_arrow_schema(table.schema)
    others = [name for name in schema.fieldNames() if name != table.cursor]

    def flag_versions(bronze: DataFrame, timezone: str) -> DataFrame:
        rules = row_rules(table) | own_rules(timezone)
        return _with_audit_columns(flag(bronze, rules), table, timezone)

    return SilverJob(
        table=table.name,
        key=table.key,
        bronze=schema,
        silver=schema,
        flag=flag_versions,
        order=lambda: [F.col(table.cursor).desc(), *map(F.col, others)],
        wins_by=[table.cursor],
        wins=f"new.{table.cursor} > old.{table.cursor}",
    )


def row_rules(table: SourceTable) -> Rules:
    """The contract's row rules by name, in the order of its columns.

    Key and cursor are required, whatever the contract says: no newer version could replace a row without one.
    """
    return {
        name: condition
        for column in table.columns
        for name, condition in _column_rules(column, column.name in (table.key, table.cursor)).items()
    }


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
    source_columns = [_exact(field) for field in flagged.schema.fields if field.name != REJECT_REASON]
    text = F.col(table.key).cast("string")
    return flagged.withColumns(
        {
            "ds": business_date(table.cursor, timezone),
            "key": if_rejected(text),
            "occurred_at": if_rejected(table.cursor),
            "origin": if_rejected(F.concat(F.lit(f"{table.name}/"), F.coalesce(text, F.lit("null")))),
            "raw": if_rejected(F.to_json(F.struct(*source_columns))),
        }
    )


def _exact(field: StructField) -> Column:
    # As JSON values, Apache Spark cuts times to milliseconds and Sail spells 0.10 as 0.1: text is exact.
    column = F.col(field.name)
    as_text = isinstance(field.dataType, DecimalType | TimestampType)
    return column.cast("string").alias(field.name) if as_text else column
