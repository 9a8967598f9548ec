"""Runs that have ended, and alerts about them, with plain defaults: a test names only what it is about."""

from typing import Any

from lake.row_counts import Extracted, Flagged
from tasks.alerts.alert import Alert
from tasks.ledger.run import Run
from tests.support.rows import DAY, at


def ended(status: str, **values: Any) -> Run:
    """A run of DAY that ended so; a failed one failed in transform."""
    failed = {"step": "transform", "error": "DataFailure: orders: too many rejected"}
    given = {"run_id": "run-1", "flow": "daily", "ds": DAY, "started_at": at(DAY), "status": status}
    return Run(**given | (failed if status == "failed" else {}) | values)


def warned(*warnings: str) -> list[Extracted]:
    """What an extract returns that had something to say."""
    return [Extracted(table="orders", rows=1, warnings=list(warnings))]


def rejected(**tables: int) -> list[Flagged]:
    """What the row rules return that rejected so many rows of each table."""
    return [
        Flagged(table=table, bronze_version=1, rows_in=10_000, rejected={"status_known": rows})
        for table, rows in tables.items()
    ]


def alert(facts: dict[str, str | None] | None = None, **values: Any) -> Alert:
    """An alert about a failed run; a fact of None is left out."""
    known = {
        "flow": "daily",
        "ds": DAY.isoformat(),
        "step": "transform",
        "error": "DataFailure: orders: too many rejected",
        **(facts or {}),
    }
    given = {
        "alert_id": "run-failed/run-1",
        "kind": "run-failed",
        "severity": "error",
        "title": "daily 2024-03-04 failed in transform",
        "run_id": "run-1",
        "flow": "daily",
        "facts": {name: value for name, value in known.items() if value},
        "runbook_url": "https://books.example/runbook#run-failed",
        "dedup_key": "daily",
    }
    return Alert(**given | values)
