"""Records of the run ledger: runs, their row counts per table, results of expectations, alerts.

Records are appended to the lake (`ops.*`), where a failed run can still write, and copied into the
warehouse's `ops` schema at the end of each run. Nothing here decides anything.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from lake.delta import Lake
from tasks.ledger.tables import TABLES


def append_records(
    lake: Lake,
    table: str,
    records: Sequence[dict[str, Any]],
    onto: DeltaTable | None = None,
    mark: Transaction | None = None,
) -> None:
    """Append records to `ops.<table>` in the lake; `recorded_at` is filled in.

    With `onto`, the table as the caller has read it, and `mark`: raises CommitFailedError if another
    process has moved the mark since.
    """
    if not records:
        return
    now = dt.datetime.now(dt.UTC)
    rows = pa.Table.from_pylist([{**record, "recorded_at": now} for record in records], schema=TABLES[table])
    write_deltalake(
        onto or lake.uri(f"ops.{table}"),
        rows,
        mode="append",
        commit_properties=CommitProperties(app_transactions=[mark] if mark else []),
    )
