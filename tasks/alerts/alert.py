"""An alert, before any channel gives it a form."""

from typing import Annotated, Literal

from prefect.logging import get_logger
from prefect.utilities.urls import url_for
from pydantic import AfterValidator, BaseModel

from blocks.settings.fields import AlertFields, Severity
from lake.delta import Lake
from tasks.ledger.queries import previous_status
from tasks.ledger.run import Run

Kind = Literal[
    "run-completed",
    "run-with-warnings",
    "run-failed",
    "run-failed-twice",
    "stock-low",
    "stock-out",
    "stock-refilled",
]
"""The event that an alert is about. Each has a heading in the runbook."""


COLORS = {"info": "#2eb67d", "warning": "#f2952f", "error": "#d72b3f", "critical": "#8b0020"}


def _on_one_line(text: str) -> str:
    return " ".join(text.split())


# Text that holds words of the shop's own, as a product's name, where a channel has room for one line.
OneLine = Annotated[str, AfterValidator(_on_one_line)]


class Alert(BaseModel):
    """One message. `alert_id` is the same whenever people are notified of the same thing again."""

    alert_id: str
    kind: Kind
    severity: Severity
    title: OneLine
    run_id: str
    flow: str
    facts: dict[OneLine, str]
    """Details by name, in the order in which a person wants them."""
    run_url: str | None = None
    runbook_url: str
    dedup_key: str
    """PagerDuty groups by it: a failing flow is one incident until a run of it is good again."""
    is_resolution: bool = False
    """True if the trouble of earlier alerts is over."""
    undoes: Severity | None = None
    """Of good news, the severity of the bad news before it: both go to the same channels."""


def alert_about(run: Run, settings: AlertFields, lake: Lake) -> Alert:
    """The alert about a run's end; a second failure in a row is critical."""
    kind, severity, end = _classify(run, lake)
    known = {
        "flow": run.flow,
        "ds": run.ds.isoformat(),
        "step": run.step if run.status == "failed" else None,
        "error": run.error,
        "quarantined": f"{quarantined:,} rows"
        if (quarantined := sum(rows for _, _, rows in run.rejected))
        else None,
        "deleted in the shop": run.deleted or None,
        "worth a look": "; ".join(run.notes) or None,
        "report": run.report_url,
    }
    return Alert(
        alert_id=f"{kind}/{run.run_id}",
        kind=kind,
        severity=severity,
        title=f"{run.flow} {run.ds} {end}",
        run_id=run.run_id,
        flow=run.flow,
        facts={name: value for name, value in known.items() if value},
        run_url=run_link(run.run_id),
        runbook_url=runbook_link(settings, kind),
        dedup_key=run.flow,
        is_resolution=run.status == "completed",
    )


def run_link(run_id: str) -> str | None:
    """The run's page in Prefect's UI, if there is one."""
    return url_for("flow-run", obj_id=run_id)


def runbook_link(settings: AlertFields, kind: str) -> str:
    """The address of the runbook's heading about a kind of alert."""
    return f"{settings.runbook_url}#{kind}"


def _classify(run: Run, lake: Lake) -> tuple[Kind, Severity, str]:
    if run.status == "failed":
        end = f"failed in {run.step}" if run.step else "failed before its first step"
        if _has_failed_before(run, lake):
            return "run-failed-twice", "critical", f"{end}, as the run before it did"
        return "run-failed", "error", end
    if run.notes:
        return "run-with-warnings", "warning", "completed with warnings"
    return "run-completed", "info", "completed"


def _has_failed_before(run: Run, lake: Lake) -> bool:
    try:
        return previous_status(lake, run.flow, run.run_id) == "failed"
    except Exception as error:
        # The lake may be what the alert is about.
        get_logger("alerts").warning("cannot read from the ledger how the previous run ended: %s", error)
        return False
