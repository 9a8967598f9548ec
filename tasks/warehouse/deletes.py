"""Rows that are gone from the source, in the warehouse: `ops.deleted_rows`, and those of silver."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads

from lake.source_table import DELETED_AT, SourceTable
from tasks.warehouse.interface import Scope, Session

# Grain: one row per row of the source that is gone now. `deletes` says whether silver and the marts have lost
# it too (`follow`), or keep it (`keep`); `deleted_at` is when it was noticed.
DELETED_ROWS = pa.schema(
    [
        ("deleted_key", pa.string()),
        ("table_name", pa.string()),
        ("key", pa.string()),
        ("deletes", pa.string()),
        (DELETED_AT, pa.timestamp("us", tz="UTC")),
    ]
)


def record_deleted(session: Session, rows: pa.Table, load_id: int) -> int:
    """Upsert rows into `ops.deleted_rows`, which is made if need be; returns how many are new or changed."""
    scanner = pads.dataset(rows).scanner()
    return session.upsert("ops.deleted_rows", "deleted_key", scanner, load_id, "changes")


def apply_deletes(
    session: Session, table: SourceTable, rows: pads.Dataset, load_id: int, scope: Scope
) -> int:
    """Bring `ops.deleted_rows` and silver up to the loaded `rows`; returns the rows that silver has lost."""
    if scope != "changes":
        session.execute(f"delete from ops.deleted_rows where table_name = '{table.name}'")
    gone = rows.to_table(columns=[table.key, DELETED_AT], filter=pads.field(DELETED_AT).is_valid())
    recorded = record_deleted(session, _as_deleted(table, gone), load_id) if gone.num_rows else 0
    # A row that has come back is not gone.
    session.execute(
        f"delete from ops.deleted_rows where table_name = '{table.name}' and key in ("
        f"select cast({table.key} as string) from silver.{table.name} "
        f"where load_id = {load_id} and deleted_at is null)"
    )
    if recorded and table.hides_deleted:
        session.execute(
            f"delete from silver.{table.name} where cast({table.key} as string) in ("
            f"select key from ops.deleted_rows where table_name = '{table.name}' and load_id = {load_id})"
        )
    return recorded if table.hides_deleted else 0


def _as_deleted(table: SourceTable, gone: pa.Table) -> pa.Table:
    keys, names = gone[table.key].cast(pa.string()), pa.repeat(table.name, gone.num_rows)
    deletes = pa.repeat(table.deletes, gone.num_rows)
    joined = pc.binary_join_element_wise(names, keys, "/")
    return pa.table([joined, names, keys, deletes, gone[DELETED_AT]], schema=DELETED_ROWS)
