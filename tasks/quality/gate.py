"""The gate: a critical expectation that fails stops the run, unless a person has accepted it, on record."""

import datetime as dt
from collections.abc import Sequence

from prefect import task

from blocks.settings.failures import DataFailure
from expectations.suite import CRITICAL, WARNING
from lake.row_counts import Flagged
from tasks.ingest.decisions import Decisions, command
from tasks.ledger.quality_result import QualityResult

ORDER_TOTALS = "order_totals"


@task(task_run_name="verdict")
def stop_on_critical(
    results: list[QualityResult],
    flagged: Sequence[Flagged] = (),
    decisions: Decisions | None = None,
    flow: str = "daily",
    ds: dt.date | None = None,
) -> list[QualityResult]:
    """Raise DataFailure if a critical expectation failed that nobody has accepted; returns the failed others.

    The failure lists the rejected rows of `flagged` by reason, and the commands with which `flow` goes on.
    """
    accepted = decisions.accept_failed if decisions else ()
    failed = [result for result in results if not result.is_success]
    critical = [r for r in failed if r.severity == CRITICAL and r.table_name not in accepted]
    if critical:
        message = "; ".join(map(str, critical)) + ". Nothing downstream ran, nothing was published"
        message += _commands(critical, flow, ds)
        if flagged:
            reasons = [
                f"{each.table} {why}: {rows}" for each in flagged for why, rows in each.rejected.items()
            ]
            message += f". Rejected by reason: {', '.join(reasons) or 'none'}"
        raise DataFailure(message, tuple(result.trouble for result in critical))
    return [
        r for r in failed if r.severity == WARNING or (r.severity == CRITICAL and r.table_name in accepted)
    ]


def _commands(critical: list[QualityResult], flow: str, ds: dt.date | None) -> str:
    if flow == "data_quality":
        # It stops nobody: what it finds is published already.
        return ""
    names = dict.fromkeys(result.table_name for result in critical)
    ways = ""
    totals = next(
        (r for r in critical if r.table_name == ORDER_TOTALS and r.samples and flow == "daily"), None
    )
    if totals:
        dates = (totals.samples or "").replace(" ", "")
        ways = (
            ". If orders were edited without a new updated_at, read those of these dates again: "
            + command(flow, ds, f"--reread orders:order_date={dates}")
        )
    accept = [f"--accept-failed {name}" for name in names]
    return f"{ways}. To publish all the same, on record: {command(flow, ds, *accept)}"
