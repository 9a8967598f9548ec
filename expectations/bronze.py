"""The suite of the bronze gate, on `flagged.<table>`: it is made from the table's contract.

Grain: one row per bronze row that is new to silver.
"""

from functools import partial

import great_expectations.expectations as gxe

from expectations.row_rules import rules, warnings
from expectations.suite import Suite, Thresholds, accepted, quarantined, usual_size
from expectations.unique import unique_key
from lake.source_table import READ_AT, SourceTable


def bronze_suite(table: SourceTable) -> Suite:
    """The bronze suite of a source table.

    - critical: at most the threshold's share of rows is rejected; no two versions of a row are equally new
    - warning: the contract's warnings, and the usual number of rows
    - info: each row rule, which counts the rows that break it
    """
    lineage = [column.name for column in table.columns if column.warehouse_name is None]
    return Suite(name=table.name, key=lineage or [table.key], expectations=partial(_expectations, table))


def _expectations(table: SourceTable, thresholds: Thresholds) -> list[gxe.Expectation]:
    return [
        accepted(thresholds),
        *([] if table.is_event else [_one_per_version(table)]),
        *(rule for column in table.columns for rule in rules(column, quarantined)),
        *(warning for column in table.columns for warning in warnings(column)),
        *usual_size(thresholds),
    ]


def _one_per_version(table: SourceTable) -> gxe.Expectation:
    consequence = f"two versions of a row of {table.name} cannot be put in order: the source has no key"
    return unique_key([table.key, table.cursor, READ_AT], consequence)
