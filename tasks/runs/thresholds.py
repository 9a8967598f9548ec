"""Thresholds that settings make looser than their defaults: overrides as well, with a person and a reason."""

import datetime as dt
import logging

from blocks.settings.environment import AlertThresholds
from blocks.settings.settings import EnvironmentSettings, Settings
from lake.delta import Lake
from tasks.ledger.overrides import (
    NONE_GIVEN,
    THRESHOLD,
    Override,
    active_overrides,
    end_override,
    record_override,
)
from tasks.ledger.run import Run

# By setting, whether a higher value is the looser one.
LOOSER_IF_HIGHER = {
    "quarantine_threshold": True,
    "mass_delete_share": True,
    "mass_delete_rows": True,
    "quality_minimum": False,
    "running_after": True,
    "success_within": True,
}


def record_thresholds(run: Run, settings: Settings, lake: Lake) -> None:
    """Record each looser threshold when it is first seen, and its end; remark in the run if nobody says why.

    A ledger that fails is logged: a run ends as it ends.
    """
    try:
        _record_thresholds(run, settings, lake, dt.datetime.now(dt.UTC))
    except Exception as error:
        logging.getLogger("prefect.ledger").warning("looser thresholds could not be recorded: %s", error)


def _record_thresholds(run: Run, settings: Settings, lake: Lake, at: dt.datetime) -> None:
    reason = settings.thresholds_reason.strip() or NONE_GIVEN
    person = settings.thresholds_person.strip() or NONE_GIVEN
    known = {each.subject: each for each in active_overrides(lake, at) if each.kind == THRESHOLD}
    looser = looser_thresholds(settings)
    for variable, words in looser.items():
        before = known.get(variable)
        if before is None or (before.decision, before.reason, before.person) != (words, reason, person):
            override = Override(
                override_id=f"{THRESHOLD}-{variable}",
                kind=THRESHOLD,
                subject=variable,
                decision=words,
                reason=reason,
                person=person,
                starts_at=at,
                run_id=run.run_id,
                flow=run.flow,
                ds=run.ds,
            )
            record_override(lake, override)
        if NONE_GIVEN in (reason, person):
            run.remarks.append(f"{words}: say who and why in THRESHOLDS_PERSON and THRESHOLDS_REASON")
    for variable in known.keys() - looser.keys():
        end_override(lake, known[variable], "the setting", "it is at its default again", at)


def looser_thresholds(settings: EnvironmentSettings) -> dict[str, str]:
    """The thresholds that are looser than their defaults, by variable, each in a few words."""
    alerts = AlertThresholds()
    found = {}
    for name, is_higher_looser in LOOSER_IF_HIGHER.items():
        source = alerts if name in AlertThresholds.model_fields else settings
        value, usual = getattr(source, name), type(source).model_fields[name].default
        if (value > usual) if is_higher_looser else (value < usual):
            found[name.upper()] = f"{name.upper()} is {value} in place of {usual}"
    return found
