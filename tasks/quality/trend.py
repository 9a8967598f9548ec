"""Quality over several days: one bad day may be an accident, three in a row are a change at the source."""

import datetime as dt

from prefect.events import emit_event

from blocks.settings.environment import PlatformName
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.alerts.alert import GO_ON, Alert, run_link, runbook_link
from tasks.alerts.delivery import deliver
from tasks.alerts.events import LOW_QUALITY_EVENT, quality_resource
from tasks.alerts.run_alert import Known
from tasks.alerts.verdict import judge, record_outcome
from tasks.ledger.queries import quality_scores
from tasks.ledger.run import Run

DAYS = 3
TROUBLE = "low quality"


def report_low_quality(run: Run, settings: Settings, lake: Lake, at: dt.datetime | None = None) -> bool:
    """Emit LOW_QUALITY_EVENT if the last DAYS validated days scored below `QUALITY_MINIMUM`.

    Returns True if it was emitted. Only the first run that finds it so does so: later ones repeat nothing,
    until a day was good again, which is told; nor does one while a person has snoozed it.
    """
    minimum, known = settings.quality_minimum, Known.read(lake)
    days = quality_scores(lake, DAYS)
    scores = [score for _, score in days]
    if not days or days[0][0] != run.run_id:
        return False
    at = at or dt.datetime.now(dt.UTC)
    if scores[0] >= minimum and TROUBLE in known.troubles:
        over = _over(run, settings, scores[0], at, is_told=known.troubles[TROUBLE].told > 0)
        # Where only the server has a channel, the end is on record all the same.
        if not deliver(over, settings, lake):
            record_outcome(over, lake, "over")
    if len(scores) < DAYS or max(scores) >= minimum:
        return False
    alert = _alert(run, settings, at, f"rows below the quality limit {DAYS} days in a row")
    verdict = judge(alert, known.troubles, known.standing(at))
    record_outcome(alert, lake, verdict.outcome, verdict.override)
    if not verdict.is_to_be_told:
        return False
    emit_event(
        LOW_QUALITY_EVENT,
        resource={
            "prefect.resource.id": quality_resource(PlatformName().platform),
            "prefect.resource.name": run.flow,
        },
        payload={
            "ds": run.ds.isoformat(),
            "scores": ", ".join(f"{score:.1%}" for score in scores),
            "minimum": f"{minimum:.1%}",
        },
    )
    return True


def _alert(run: Run, settings: Settings, at: dt.datetime, words: str) -> Alert:
    """The alert that Prefect's server sends, for the record."""
    return Alert(
        alert_id=f"low-quality/{run.run_id}",
        kind="low-quality",
        severity="error",
        title=f"{run.flow}: {words}",
        run_id=run.run_id,
        flow=run.flow,
        facts={"ds": run.ds.isoformat(), GO_ON: "python -m flows.status"},
        run_url=run_link(run.run_id),
        runbook_url=runbook_link(settings, "low-quality"),
        dedup_key="low-quality",
        troubles=[TROUBLE],
        at=at,
    )


def _over(run: Run, settings: Settings, score: float, at: dt.datetime, is_told: bool) -> Alert:
    """Good news after bad, for people if they had the bad."""
    alert = _alert(run, settings, at, f"{score:.1%} of the rows of {run.ds} passed: the trouble is over")
    return alert.model_copy(
        update={
            "alert_id": f"trouble-over/low-quality/{run.run_id}",
            "kind": "trouble-over",
            "severity": "info",
            "undoes": "error" if is_told else None,
            "runbook_url": runbook_link(settings, "trouble-over"),
            "troubles": [],
            "ends": [TROUBLE],
        }
    )
