"""Which columns name a row of another table, and whether their types let the two be joined."""

from collections.abc import Iterator, Mapping

import pyarrow as pa

from lake.source_table import Column, SourceTable

# (table, column) -> the table whose key it holds. Clicks name theirs as text, whatever the key is.
REFERENCES = {
    ("orders", "customer_id"): "customers",
    ("orders", "product_id"): "products",
    ("inventory", "product_id"): "products",
}


def unlike_keys(tables: Mapping[str, SourceTable]) -> Iterator[str]:
    """Sentences about columns that cannot be joined with the key they hold, with the remedy.

    Integers of any width agree, and so do text and uuid, which is text in the lake.
    """
    for (name, column), other in REFERENCES.items():
        if name not in tables or other not in tables:
            continue
        ours, theirs = tables[name].column(column), tables[other].column(tables[other].key)
        if _is_integer(ours) != _is_integer(theirs):
            yield (
                f"{name}.{column} is {ours.type} and {other}.{theirs.name} is {theirs.type}, so no row of "
                f"{name} would find its own in {other}; write the same type in both contracts"
            )


def _is_integer(column: Column) -> bool:
    return bool(pa.types.is_integer(column.arrow_type))
