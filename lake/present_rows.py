"""The rows of a source table's silver that are rows still: not the memory of those that are gone."""

import pyarrow.dataset as pads

from lake.delta import Lake
from lake.source_table import DELETED_AT, SourceTable


def present_rows(lake: Lake, table: SourceTable) -> pads.Dataset:
    """The present rows of `silver.<table>`, read lazily. Grain: one row per key."""
    rows = lake.rows_since(f"silver.{table.name}", None)
    is_hidden = table.hides_deleted and DELETED_AT in rows.schema.names
    return rows.filter(pads.field(DELETED_AT).is_null()) if is_hidden else rows
