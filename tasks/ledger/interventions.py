"""Decisions of people about runs, on record: `ops.interventions`."""

from prefect.logging import get_logger

from lake.delta import Lake
from tasks.ingest.decisions import Decisions
from tasks.ledger.records import append_records
from tasks.ledger.run import Run


def record_decisions(lake: Lake, run: Run, decisions: Decisions | None) -> None:
    """Record each decision with who made it and why, before it has an effect. Raises PermanentFailure."""
    if decisions is None:
        return
    decisions.check()
    for text in decisions.texts:
        record_decision(lake, run, text, decisions.reason, decisions.person)


def record_decision(lake: Lake, run: Run, decision: str, reason: str, person: str) -> None:
    """Record one decision."""
    get_logger("ledger").info("%s: %s (%s)", person or "somebody", decision, reason)
    record = {
        "run_id": run.run_id,
        "flow": run.flow,
        "ds": run.ds,
        "decision": decision,
        "reason": reason,
        "person": person,
    }
    append_records(lake, "interventions", [record])
