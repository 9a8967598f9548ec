"""The repository's contract, changed for one shop: types of keys, zone of times, how changes are found."""

import re

from lake.catalog import CONTRACTS
from lake.source_table import SourceTable
from tasks.connect.query_text import Query


def changed_contract(table: SourceTable, query: Query) -> str | None:
    """The text of the contract beside a query; None if the repository's holds as it is."""
    if not (query.key_types or query.zoneless or query.has_no_cursor):
        return None
    text = (CONTRACTS / f"{table.name}.yaml").read_text(encoding="utf-8")
    for column, kind in query.key_types.items():
        text = _in_column(text, column, r"logicalType: \w+", "logicalType: string")
        text = _in_column(text, column, r"physicalType: .+", f"physicalType: {kind}")
    for column in query.zoneless:
        text = _in_column(
            text,
            column,
            r"physicalType: .+",
            r"\g<0>\n        # TODO: the zone of the shop's times.\n"
            r"        logicalTypeOptions: {defaultTimezone: UTC}",
        )
    if query.has_no_cursor:
        text = re.sub(
            r"( +)- \{property: deletes,.*\}",
            r"\g<0>\n\1# Whole rows are compared: nothing in the shop says when one changed.\n"
            r"\1- {property: changes, value: snapshot}",
            text,
            count=1,
        )
    return f"# This shop's own, from expectations/contracts/{table.name}.yaml.\n{text}"


def _in_column(text: str, column: str, pattern: str, replacement: str) -> str:
    """The text with the first match of `pattern` after the column's name replaced."""
    begin = text.index(f"- name: {column}\n")
    return text[:begin] + re.sub(pattern, replacement, text[begin:], count=1)
