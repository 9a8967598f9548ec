"""The business day of a run, and the run's name."""

import datetime as dt
from zoneinfo import ZoneInfo

from prefect import runtime

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from tasks.ingest.extract_window import previous_business_date


def run_name() -> str:
    """The name of a daily flow run, by its business day."""
    ds = runtime.flow_run.parameters.get("ds")
    return f"{runtime.flow_run.flow_name}-{ds or business_day(None, Settings().shop_timezone)}"


def hourly_run_name() -> str:
    """The name of an hourly flow run, by the time it was scheduled for in the shop's time zone."""
    scheduled = runtime.flow_run.scheduled_start_time or dt.datetime.now(dt.UTC)
    at = scheduled.astimezone(Settings().shop_timezone)
    return f"{runtime.flow_run.flow_name}-{at:%Y-%m-%dT%H:%M}"


def range_name() -> str:
    """The name of a flow run over a range of days, by its first and last."""
    given = runtime.flow_run.parameters
    return f"{runtime.flow_run.flow_name}-{given.get('first')}-{given.get('last')}"


def whole_range(first: dt.date | None, last: dt.date | None) -> tuple[dt.date, dt.date] | None:
    """The range of days, or None if neither end is given. Raises PermanentFailure for half a range."""
    if first is None and last is None:
        return None
    if first is None or last is None or first > last:
        raise PermanentFailure("a range has a first day and a last one that is not before it; give both")
    return first, last


def today(timezone: ZoneInfo) -> dt.date:
    """The shop's date, now."""
    return dt.datetime.now(timezone).date()


def business_day(ds: dt.date | None, timezone: ZoneInfo) -> dt.date:
    """`ds`, or the day before the run's scheduled start in the shop's time zone: a late run does its own day.

    Raises PermanentFailure for a day that has not begun: marking it as covered would hide rows to come.
    """
    if ds is not None and ds > today(timezone):
        raise PermanentFailure(
            f"ds {ds} lies in the future (today is {today(timezone)} in {timezone}); give a past day"
        )
    scheduled = runtime.flow_run.scheduled_start_time or dt.datetime.now(dt.UTC)
    return ds or previous_business_date(scheduled, timezone)
