"""The alert about a run's end: how bad it is, what of it is news, and what is over with it."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from prefect.logging import get_logger
from pydantic import BaseModel

from blocks.settings.fields import AlertFields, Severity
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.alerts.alert import GO_ON, Alert, Kind, run_link, runbook_link
from tasks.alerts.troubles import COMMAND, Trouble, is_absence, note_troubles, open_troubles, rank
from tasks.ingest.extract_window import day_start
from tasks.ledger.overrides import WINDOW, Override, overrides
from tasks.ledger.queries import DAILY, previous_status
from tasks.ledger.run import Run

# The commands that take a business day, and the one that changes nothing.
OF_A_DAY = ("daily", "data_quality", "maintenance", "rebuild")
LOOK = "python -m flows.status"
NOT_ABOUT_RUNS = ("stock-", "low-quality")


class Known(BaseModel):
    """What the ledger knows when an alert is written: what people were told, and what they have decided."""

    troubles: dict[str, Trouble] = {}
    overrides: list[Override] = []

    @classmethod
    def read(cls, lake: Lake) -> "Known":
        """By the ledger; nothing if that cannot be read: rather twice than never."""
        try:
            return cls(troubles=open_troubles(lake), overrides=overrides(lake))
        except Exception as error:
            # The lake may be what the alert is about.
            get_logger("alerts").warning("cannot read from the ledger what people know: %s", error)
            return cls()

    def has_window(self, begun: dt.datetime, ended: dt.datetime) -> bool:
        """Whether a maintenance window overlaps this time."""
        return any(each.kind == WINDOW and each.overlaps(begun, ended) for each in self.overrides)

    def standing(self, at: dt.datetime) -> list[Override]:
        """The overrides that stand at this moment, and all maintenance windows."""
        return [each for each in self.overrides if each.kind == WINDOW or each.is_active(at)]


def alert_about(
    run: Run, settings: Settings, lake: Lake, known: Known | None = None, at: dt.datetime | None = None
) -> Alert:
    """The alert about a run's end: a second failure in a row is critical, a good run ends its troubles."""
    known, at = known or Known.read(lake), at or dt.datetime.now(dt.UTC)
    if run.status == "failed":
        alert = _about_failure(run, settings, lake, known)
    else:
        alert = _about_completion(run, settings, known)
    begun = alert.period[0] if alert.period else run.started_at
    return alert.model_copy(update={"at": at, "period": (begun, at)})


def _about_failure(run: Run, settings: Settings, lake: Lake, known: Known) -> Alert:
    end = f"failed in {run.step}" if run.step else "failed before its first step"
    if not _has_failed_before(run, lake, known):
        return _alert(run, settings, "run-failed", "error", end, troubles=run.troubles)
    end = f"{end}, as the run before it did"
    # Two flows that one thing fails wake a person once; so does one flow that many things fail.
    state = f"{run.flow} fails in run after run"
    if any(name in known.troubles and known.troubles[name].severity == "critical" for name in run.troubles):
        return _alert(run, settings, "run-failed-twice", "critical", end, troubles=run.troubles)
    if state in known.troubles and known.troubles[state].severity == "critical":
        return _alert(run, settings, "run-failed", "error", end, troubles=run.troubles)
    return _alert(run, settings, "run-failed-twice", "critical", end, troubles=[*run.troubles, state])


def _about_completion(run: Run, settings: Settings, known: Known) -> Alert:
    notes = note_troubles(run)
    ended = [
        each
        for each in known.troubles.values()
        if run.flow in each.flows and not each.kind.startswith(NOT_ABOUT_RUNS) and each.name not in notes
    ]
    bad = [each for each in ended if each.severity in ("error", "critical")]
    fresh = {
        name: note
        for name, note in notes.items()
        if name not in known.troubles or not known.troubles[name].is_told("warning")
    }
    day = day_start(run.ds, settings.shop_timezone)
    if bad and known.has_window(day, run.started_at):
        # Good news is told in any case; what a window excuses is not told with it.
        fresh = {name: note for name, note in fresh.items() if not is_absence(note)}
    about: dict[str, Any] = {"troubles": list(fresh), "ends": [each.name for each in ended]}
    if fresh and all(map(is_absence, fresh.values())):
        # It is about the day that brought nothing, not about the time of the run.
        about["period"] = (day, run.started_at)
    facts = {
        "over": "; ".join(map(_story, bad)),
        "worth a look": "; ".join(fresh.values()),
        "told before": f"{len(notes) - len(fresh)} more to look at" if len(fresh) < len(notes) else "",
    }
    about["facts"] = facts
    if bad:
        worst = max((each.severity for each in bad if each.severity), key=rank)
        return _alert(
            run, settings, "trouble-over", "info", "completed: the trouble is over", undoes=worst, **about
        )
    if notes:
        about["troubles"] = list(fresh or notes)
        return _alert(run, settings, "run-with-warnings", "warning", "completed with warnings", **about)
    return _alert(run, settings, "run-completed", "info", "completed", **about)


def _story(trouble: Trouble) -> str:
    """A trouble in a sentence, with the counts of what it has spoiled and of what was not told."""
    flows, untold = ", ".join(trouble.flows), trouble.alerts - trouble.told
    story = f"{trouble.name}, since {trouble.began_at:%Y-%m-%d %H:%M} UTC: {trouble.runs} runs of {flows}"
    return f"{story} ({trouble.told} told, {untold} not told again or held back)"


def _alert(
    run: Run,
    settings: AlertFields,
    kind: Kind,
    severity: Severity,
    end: str,
    facts: Mapping[str, str] | None = None,
    **values: Any,
) -> Alert:
    rejected = sum(rows for _, _, rows in run.rejected)
    known = {
        "flow": run.flow,
        "ds": run.ds.isoformat(),
        "step": run.step if run.status == "failed" else None,
        "error": run.error,
        "quarantined": f"{rejected:,} rows" if rejected else None,
        "deleted in the shop": run.deleted or None,
        "worth a look": "; ".join(run.notes) or None,
        **(facts or {}),
        "decided": "; ".join(run.overrides) or None,
        GO_ON: _command(run),
        "report": run.report_url,
    }
    # A run that is tried again after its alert has another.
    number = f"/{run.attempt}" if run.attempt > 1 else ""
    return Alert(
        alert_id=f"{kind}/{run.run_id}{number}",
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
        **values,
    )


def _command(run: Run) -> str:
    """What a person calls next: the command that the error names, else the run's own; else the status."""
    if run.status != "failed":
        return LOOK
    named = COMMAND.search(run.error or "")
    if named:
        return named.group().strip("`")
    module = "daily" if run.flow == DAILY else run.flow.replace("-", "_")
    return f"python -m flows.{module}" + (f" {run.ds}" if module in OF_A_DAY else "")


def _has_failed_before(run: Run, lake: Lake, known: Known) -> bool:
    """Whether the run before it failed; runs in a maintenance window were expected to."""
    windows = [(each.starts_at, each.ends_at) for each in known.overrides if each.kind == WINDOW]
    try:
        return previous_status(lake, run.flow, run.run_id, windows) == "failed"
    except Exception as error:
        # The lake may be what the alert is about.
        get_logger("alerts").warning("cannot read from the ledger how the previous run ended: %s", error)
        return False
