"""Overrides, on record in `ops.overrides`: each has a person and a reason, or it is refused.

Decisions about one run (accepted deletes, rows read again), and what stands for a time: snoozes,
acknowledgements, maintenance windows, thresholds looser than their defaults. Needs no Prefect.
"""

import datetime as dt
import getpass
import logging

from pydantic import BaseModel

from blocks.settings.failures import PermanentFailure
from lake.delta import Lake
from tasks.ledger.queries import latest, query_records
from tasks.ledger.records import append_records

NONE_GIVEN = "none given"
SNOOZE, ACKNOWLEDGEMENT, WINDOW, THRESHOLD = "snooze", "acknowledgement", "maintenance-window", "threshold"
# What stands until it ends; every other kind holds for its run alone.
STANDING = (SNOOZE, ACKNOWLEDGEMENT, WINDOW, THRESHOLD)


class Override(BaseModel, frozen=True):
    """A record of `ops.overrides`; times are aware."""

    override_id: str
    kind: str
    subject: str
    decision: str
    """In a few words, for people."""
    reason: str
    person: str
    starts_at: dt.datetime
    ends_at: dt.datetime | None = None
    ended_by: str | None = None
    ended_why: str | None = None
    run_id: str | None = None
    flow: str | None = None
    ds: dt.date | None = None

    def is_active(self, at: dt.datetime) -> bool:
        """Whether it stands at this moment."""
        is_begun = self.kind in STANDING and self.starts_at <= at
        return is_begun and (self.ends_at is None or at < self.ends_at)

    def overlaps(self, begun: dt.datetime, ended: dt.datetime) -> bool:
        """Whether it stands at a moment of this time."""
        return self.starts_at <= ended and (self.ends_at is None or begun < self.ends_at)

    def __str__(self) -> str:
        until = f" until {self.ends_at:%Y-%m-%d %H:%M} UTC" if self.ends_at and self.kind in STANDING else ""
        return f"{self.decision}{until} ({self.person}: {self.reason})"


def logged_in() -> str:
    """The name of the user of this process; empty where the machine knows none, as in a container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def check_record(what: str, reason: str, person: str, option: str = "--reason") -> None:
    """Raises PermanentFailure, with the remedy, if nobody says why, or who."""
    if not reason.strip():
        raise PermanentFailure(f'{what} goes on record: say why with {option} "…"')
    if not person.strip():
        raise PermanentFailure(f"{what} goes on record: say who with --person NAME")


def record_override(lake: Lake, override: Override, at: dt.datetime | None = None) -> None:
    """Record an override as it is now, at this moment. Raises PermanentFailure without person or reason."""
    check_record(override.kind, override.reason, override.person, "--why")
    logging.getLogger("prefect.ledger").info("%s", override)
    append_records(lake, "overrides", [override.model_dump() | ({"recorded_at": at} if at else {})])


def overrides(lake: Lake) -> list[Override]:
    """Every override as it stands now, the newest first."""
    columns = list(Override.model_fields)
    rows = query_records(
        lake,
        "overrides",
        f"select {', '.join(columns)} from ({latest('overrides')}) order by starts_at desc, override_id",
    )
    return [Override(**dict(zip(columns, row, strict=True))) for row in rows]


def active_overrides(lake: Lake, at: dt.datetime) -> list[Override]:
    """The overrides that stand at this moment, the newest first."""
    return [each for each in overrides(lake) if each.is_active(at)]


def end_override(lake: Lake, override: Override, person: str, why: str, at: dt.datetime) -> Override:
    """End an override before its time; who made it and why stays on record."""
    ended = override.model_copy(update={"ends_at": at, "ended_by": person, "ended_why": why})
    record_override(lake, ended, at)
    return ended
