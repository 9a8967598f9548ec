"""Decisions of people about runs, on record: overrides that hold for one run."""

import datetime as dt

from lake.delta import Lake
from tasks.ingest.decisions import Decisions
from tasks.ledger.overrides import Override, check_record, record_override
from tasks.ledger.run import Run


def record_decisions(lake: Lake, run: Run, decisions: Decisions | None) -> None:
    """Record each decision with who made it and why, before it has an effect. Raises PermanentFailure."""
    if decisions is None:
        return
    decisions.check()
    for kind, subject, text in decisions.named:
        _record(lake, run, kind, subject, text, decisions.reason, decisions.person)


def record_decision(lake: Lake, run: Run, decision: str, reason: str, person: str) -> None:
    """Record one decision, of the kind that the flow is. Raises PermanentFailure without person or reason."""
    _record(lake, run, run.flow, "", decision, reason, person)


def _record(lake: Lake, run: Run, kind: str, subject: str, decision: str, reason: str, person: str) -> None:
    check_record("a decision", reason, person)
    override = Override(
        # A run that is tried again decides the same once.
        override_id=f"{run.run_id}/{decision}",
        kind=kind,
        subject=subject,
        decision=decision,
        reason=reason,
        person=person,
        starts_at=dt.datetime.now(dt.UTC),
        run_id=run.run_id,
        flow=run.flow,
        ds=run.ds,
    )
    record_override(lake, override)
    run.overrides.append(str(override))
