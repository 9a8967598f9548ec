"""Whether an alert is told: not if people know already, and not if a person has said so, on record.

What is critical is told in any case, once. Nothing here sends anything.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from lake.delta import Lake
from tasks.alerts.alert import Alert
from tasks.alerts.troubles import Trouble
from tasks.ledger.overrides import ACKNOWLEDGEMENT, SNOOZE, WINDOW, Override, end_override
from tasks.ledger.queries import query_records
from tasks.ledger.records import append_records

Outcome = Literal["told", "undelivered", "repeated", "snoozed", "acknowledged", "in maintenance", "over"]
"""What became of an alert. `over`: a trouble has ended of which nothing need be said."""
HELD: dict[str, Outcome] = {SNOOZE: "snoozed", ACKNOWLEDGEMENT: "acknowledged", WINDOW: "in maintenance"}


class Verdict(NamedTuple):
    """What is to become of an alert, and the override that says so."""

    outcome: Outcome
    override: Override | None = None

    @property
    def is_to_be_told(self) -> bool:
        """Whether people are to get the alert."""
        return self.outcome == "told"


def judge(alert: Alert, known: Mapping[str, Trouble], standing: Sequence[Override]) -> Verdict:
    """The verdict on an alert, by the troubles that people know and the overrides on record."""
    if alert.is_good_news:
        return Verdict("told")
    found = [known.get(name) for name in alert.troubles]
    is_known = bool(found) and all(each and each.is_told(alert.severity) for each in found)
    if is_known and not alert.may_repeat:
        return Verdict("repeated")
    if alert.severity == "critical":
        return Verdict("told")
    for override in standing:
        if _holds(override, alert, is_known):
            return Verdict(HELD[override.kind], override)
    return Verdict("told")


def record_outcome(alert: Alert, lake: Lake, outcome: Outcome, override: Override | None = None) -> None:
    """Record what became of an alert, once for each outcome."""
    names: list[str | None] = [*alert.troubles]
    # An alert that was told about no trouble is in `ops.alert_deliveries`.
    if not names and (override or not alert.ends) and outcome not in ("told", "undelivered"):
        names = [None]
    record: dict[str, Any] = {
        "alert_id": alert.alert_id,
        "run_id": alert.run_id,
        "flow": alert.flow,
        "kind": alert.kind,
        # What still deserves a look is told with good news as it would be without.
        "severity": "warning" if alert.is_good_news else alert.severity,
        "title": alert.title,
        "outcome": outcome,
        "override_id": override.override_id if override else None,
        "recorded_at": alert.at,
    }
    rows = [record | {"trouble": name, "is_over": False} for name in names]
    # What is over is over, also if there was nothing new to tell beside it.
    end = outcome if outcome in ("told", "undelivered") else "over"
    rows += [record | {"trouble": name, "is_over": True, "outcome": end} for name in alert.ends]
    if rows and not _is_recorded(alert, lake, outcome):
        append_records(lake, "alerts", rows)


def end_acknowledgements(alert: Alert, lake: Lake, standing: Sequence[Override]) -> None:
    """End the acknowledgements of the troubles that are over with this alert."""
    for override in standing:
        if override.kind == ACKNOWLEDGEMENT and override.subject in alert.ends:
            end_override(lake, override, "the pipeline", "the trouble is over", alert.at)


def _holds(override: Override, alert: Alert, is_known: bool) -> bool:
    if override.kind == WINDOW:
        begun, ended = alert.period or (None, None)
        return begun is not None and ended is not None and override.overlaps(begun, ended)
    if not override.is_active(alert.at):
        return False
    if override.kind == SNOOZE:
        return override.subject in (alert.kind, f"{alert.kind}/{alert.flow}")
    return override.kind == ACKNOWLEDGEMENT and is_known and override.subject in alert.troubles


def _is_recorded(alert: Alert, lake: Lake, outcome: Outcome) -> bool:
    # The inventory run offers what it could not deliver again each minute.
    return bool(
        query_records(
            lake,
            "alerts",
            "select 1 from records where alert_id = ? and outcome = ? limit 1",
            [alert.alert_id, outcome],
        )
    )
