"""Records of the run ledger, with plain defaults."""

import datetime as dt
from typing import Any

from tasks.ledger.records import append_records
from tests.support.platforms import lake_here
from tests.support.rows import DAY, at


def run_record(run_id: str, status: str, **values: Any) -> dict[str, Any]:
    return {"run_id": run_id, "flow": "daily", "ds": DAY, "status": status, "started_at": at(DAY)} | values


def counted(rows_in: int, days_ago: int, table: str = "orders", run_id: str | None = None) -> dict[str, Any]:
    """A table's record in a run of some days before DAY."""
    day = DAY - dt.timedelta(days=days_ago)
    return {
        "run_id": run_id or f"run of {day}",
        "ds": day,
        "table_name": table,
        "rows_in": rows_in,
        "rows_out": rows_in,
        "rows_duplicate": 0,
        "rows_quarantined": 0,
    }


def delivery(run_id: str, channel: str, is_delivered: bool, **values: Any) -> dict[str, Any]:
    return {
        "alert_id": f"run-failed/{run_id}",
        "run_id": run_id,
        "kind": "run-failed",
        "severity": "error",
        "channel": channel,
        "is_delivered": is_delivered,
        "detail": "why",
    } | values


RULES = "reject_reason to be null (mostly=0.95)"


def record_quality(run_id: str, day: dt.date = DAY, **tables: tuple[int, int]) -> None:
    """Record what the row rules said in a run for a day, as {table: (rows_checked, rows_unexpected)}."""
    expectations = {"layer": "bronze", "expectation": RULES, "severity": "critical"}
    append_records(
        lake_here(),
        "quality_results",
        [
            {
                **expectations,
                "run_id": run_id,
                "ds": day,
                "table_name": table,
                "is_success": not unexpected,
                "rows_checked": checked,
                "rows_unexpected": unexpected,
            }
            for table, (checked, unexpected) in tables.items()
        ],
    )


def record_quality_days(*rejected: int) -> None:
    """A run a day from DAY on, in which so many of a hundred rows were rejected."""
    for number, rows in enumerate(rejected):
        record_quality(f"run-{number}", DAY + dt.timedelta(days=number), orders=(100, rows))
