"""The suite of a silver table: the contract's row rules again, whatever wrote the rows.

Grain: one row per key; of events, those of one day.
"""

from collections.abc import Mapping
from functools import partial

import great_expectations.expectations as gxe

from expectations.row_rules import rules
from expectations.suite import CRITICAL, Suite, Thresholds
from expectations.unique import one_per_key, unique_key
from lake.source_table import SourceTable

CONSEQUENCE = "a row that should be in quarantine counts in every figure"


def silver_suite(table: SourceTable) -> Suite:
    """The silver suite of a source table: each key once, and no row that belongs in quarantine."""
    return Suite(name=table.name, key=[table.key], expectations=partial(_expectations, table))


def sound_rows(
    table: SourceTable, consequence: str, named: Mapping[str, str | None] | None = None
) -> list[gxe.Expectation]:
    """Critical: a table's row rules. `named` maps a column to a mart's; to None if the mart has none."""
    names = {column.name: column.name for column in table.columns} | dict(named or {})
    critical = partial(_critical, consequence)
    return [
        rule
        for column in table.columns
        if column.name != table.key and names[column.name]
        for rule in rules(column, critical, names[column.name])
    ]


def _expectations(table: SourceTable, thresholds: Thresholds) -> list[gxe.Expectation]:
    others = [column for column in table.columns if column.is_unique and column.name != table.key]
    return [
        *one_per_key(table.key, table.key_consequence),
        *(unique_key([column.name], CONSEQUENCE) for column in others),
        *sound_rows(table, CONSEQUENCE),
    ]


def _critical(consequence: str, kind: type[gxe.Expectation], **arguments: object) -> gxe.Expectation:
    return kind(severity=CRITICAL, meta={"consequence": consequence}, **arguments)
