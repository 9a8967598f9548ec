"""What a person on call decides about messages: not now, I know, or nothing meant to run then. On record.

What is critical is told all the same. Each decision ends by itself; needs no Prefect.
"""

import datetime as dt
from uuid import uuid4
from zoneinfo import ZoneInfo

from pytimeparse import parse as parse_span

from blocks.settings.failures import PermanentFailure
from lake.delta import Lake
from tasks.alerts.troubles import open_troubles
from tasks.ledger.overrides import (
    ACKNOWLEDGEMENT,
    SNOOZE,
    STANDING,
    WINDOW,
    Override,
    check_record,
    end_override,
    overrides,
    record_override,
)

# The runs' own alerts that are not critical (tasks/alerts/alert.py), and those of Prefect's server.
SNOOZABLE = ("run-failed", "run-with-warnings", "low-quality", "stock-low", "stock-out")
SERVER_RULES = ("run-late", "run-waiting", "run-stuck", "run-died")
CRITICAL = ("run-failed-twice", "no-successful-run")
# deployments/prometheus/rules.yml.
PROMETHEUS_RULES = {
    "run-slow": "RunSlow",
    "quarantine-spike": "QuarantineSpike",
    "consumer-lag": "ConsumerLag",
    "no-metrics": "NoMetrics",
}


def snooze(lake: Lake, what: str, span: str, why: str, person: str, at: dt.datetime) -> Override:
    """Tell nothing of a kind of alert, `<kind>` or `<kind>/<flow>`, for a while. Raises PermanentFailure."""
    check_record("a snooze", why, person, "--why")
    kind = what.partition("/")[0]
    if kind in CRITICAL:
        raise PermanentFailure(f"{kind} is critical, and critical alerts always come; --acknowledge it")
    if kind in PROMETHEUS_RULES:
        raise PermanentFailure(
            f"Alertmanager sends {kind}: `amtool silence add alertname={PROMETHEUS_RULES[kind]} "
            f'--duration={span} --author={person} --comment="…"`'
        )
    if kind not in (*SNOOZABLE, *SERVER_RULES):
        kinds = ", ".join((*SNOOZABLE, *SERVER_RULES))
        raise PermanentFailure(f"there is no alert {kind}; there are {kinds}")
    if kind in SERVER_RULES and kind != what:
        raise PermanentFailure(f"Prefect's server sends {kind} for all flows; snooze {kind}")
    return _record(lake, SNOOZE, what, f"snooze {what}", why, person, at, (at, at + _span(span)))


def acknowledge(lake: Lake, what: str, why: str, person: str, at: dt.datetime) -> list[Override]:
    """Take on the open troubles of a kind, or whose name holds these words: people are not reminded of them.

    Returns one override per trouble; it ends with the trouble. Raises PermanentFailure if there is none.
    """
    check_record("an acknowledgement", why, person, "--why")
    known = open_troubles(lake).values()
    meant = [each for each in known if what == each.kind or what.lower() in each.name.lower()]
    if not meant:
        names = "; ".join(f"{each.kind}: {each.name}" for each in known) or "none"
        raise PermanentFailure(f"no open trouble is called {what}; open are: {names}")
    return [
        _record(lake, ACKNOWLEDGEMENT, each.name, f"acknowledge {each.name}", why, person, at, (at, None))
        for each in meant
    ]


def declare_maintenance(
    lake: Lake, start: str, end: str, timezone: ZoneInfo, why: str, person: str, at: dt.datetime
) -> Override:
    """Tell nothing of runs and data that are missing in this time: `start` is `now` or a time in `timezone`.

    `end` is a time, or a span after the start. Raises PermanentFailure.
    """
    check_record("a maintenance window", why, person, "--why")
    begin = at if start == "now" else _moment(start, timezone)
    if begin is None:
        raise PermanentFailure(f"{start!r} is no time; write now, or 2024-01-15T22:00")
    until = _moment(end, timezone) or begin + _span(end)
    begin, until = begin.astimezone(dt.UTC), until.astimezone(dt.UTC)
    if until <= max(begin, at):
        raise PermanentFailure(f"it would end at {until:%Y-%m-%d %H:%M} UTC, before it begins, or now")
    words = f"maintenance from {begin:%Y-%m-%d %H:%M}"
    return _record(lake, WINDOW, "runs", words, why, person, at, (begin, until))


def end_early(lake: Lake, override_id: str, why: str, person: str, at: dt.datetime) -> Override:
    """End an override that stands, or would come, before its time. Raises PermanentFailure."""
    check_record("an end", why, person, "--why")
    to_end = [
        each
        for each in overrides(lake)
        if each.kind in STANDING and (each.ends_at is None or each.ends_at > at)
    ]
    for each in to_end:
        if each.override_id == override_id:
            return end_override(lake, each, person, why, at)
    names = ", ".join(each.override_id for each in to_end) or "none"
    raise PermanentFailure(f"nothing that stands is called {override_id}; there are: {names}")


def _record(
    lake: Lake,
    kind: str,
    subject: str,
    decision: str,
    why: str,
    person: str,
    at: dt.datetime,
    stands: tuple[dt.datetime, dt.datetime | None],
) -> Override:
    override = Override(
        override_id=f"{kind}-{uuid4().hex[:6]}",
        kind=kind,
        subject=subject,
        decision=decision,
        reason=why,
        person=person,
        starts_at=stands[0],
        ends_at=stands[1],
    )
    record_override(lake, override, at)
    return override


def _span(text: str) -> dt.timedelta:
    """A span as people write it: 3d, 12h, 1h30m. Raises PermanentFailure."""
    seconds = parse_span(text)
    if not seconds or seconds < 0:
        raise PermanentFailure(f"{text!r} is no span of time; write 3d, 12h or 90m")
    return dt.timedelta(seconds=seconds)


def _moment(text: str, timezone: ZoneInfo) -> dt.datetime | None:
    """A time; without an offset it is the shop's. None if the text is none."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone)
