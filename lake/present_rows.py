"""The rows of a source table's silver that are rows still: not the memory of those that are gone."""

import pyarrow as pa
import pyarrow.dataset as pads

from lake.delta import Lake
from lake.source_table import DELETED_AT, SourceTable


def present_rows(lake: Lake, table: SourceTable) -> pads.Dataset:
    """The present rows of `silver.<table>`, read lazily. Grain: one row per key."""
    rows = comparable(lake.rows_since(f"silver.{table.name}", None))
    is_hidden = table.hides_deleted and DELETED_AT in rows.schema.names
    return rows.filter(pads.field(DELETED_AT).is_null()) if is_hidden else rows


def comparable(rows: pads.FileSystemDataset) -> pads.FileSystemDataset:
    """The same rows, whose text can be compared: a WHERE of DuckDB is left to Arrow.

    A merge or a delete of delta-rs marks text as string_view, which Arrow compares with nothing
    (apache/arrow#49368, delta-io/delta-rs#4579); read as dictionaries it is of that type in no file.
    """
    texts = [field.name for field in rows.schema if pa.types.is_string(field.type)]
    reading = pads.ParquetFileFormat(read_options=pads.ParquetReadOptions(dictionary_columns=texts))
    parts = [reading.make_fragment(part.path, rows.filesystem) for part in rows.get_fragments()]
    return pads.FileSystemDataset(parts, rows.schema, reading, rows.filesystem)
