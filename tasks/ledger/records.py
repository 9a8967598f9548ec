"""Records of the run ledger: runs, their row counts per table, results of expectations, alerts.

Records are appended to the lake (`ops.*`), where a failed run can still write, and copied into the
warehouse's `ops` schema at the end of each run. Nothing here decides anything.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from lake.delta import Lake, commit
from lake.local_sql import connect
from tasks.ledger.tables import ledger_schema


def append_records(
    lake: Lake,
    table: str,
    records: Sequence[dict[str, Any]],
    onto: DeltaTable | None = None,
    marks: Mapping[str, int] | None = None,
) -> None:
    """Append records to `ops.<table>` in the lake; `recorded_at` is filled in where it is not given.

    With `onto`, the table as the caller has read it, and `marks`: raises CommitFailedError if
    another process has moved one of them since.
    """
    if not records:
        return
    now = dt.datetime.now(dt.UTC)
    rows = pa.Table.from_pylist(
        [{"recorded_at": now} | record for record in records], schema=ledger_schema(table)
    )
    write_deltalake(
        onto or lake.uri(f"ops.{table}"),
        rows,
        mode="append",
        commit_properties=commit(marks),
    )


def ensure_table(lake: Lake, table: str) -> DeltaTable:
    """The Delta table `ops.<table>`, made empty at first use.

    If the contract has given product_id another type since, the column gets it, in one commit. An id that
    cannot have that type becomes null: such a product no longer exists. A column that an older pipeline did
    not write is added, null in its rows.
    """
    name, schema = f"ops.{table}", ledger_schema(table)
    held = lake.ensure(name, schema)
    columns = pa.schema(held.schema().to_arrow())
    if "product_id" in schema.names and columns.field("product_id").type != schema.field("product_id").type:
        kind = "text" if pa.types.is_string(schema.field("product_id").type) else "bigint"
        with connect() as connection:
            connection.register("records", held.to_pyarrow_dataset())
            query = f"select * replace (try_cast(product_id as {kind}) as product_id) from records"
            rows = connection.sql(query).to_arrow_table().cast(schema)
        write_deltalake(held, rows, mode="overwrite", schema_mode="overwrite", commit_properties=commit())
        held = DeltaTable(lake.uri(name))
    if set(schema.names) - set(columns.names):
        lake.add_columns(name, schema)
        held = DeltaTable(lake.uri(name))
    return held
