"""The rows that a run for `ds` covers: half-open windows on the cursor, and spans of clickstream days.

A run covers its own business day. If days before it were never covered (the first run, a missed morning),
it covers them too: gold equals the source after any run, not only after an unbroken chain of runs.
"""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

# A click file may come so many days after its folder was first read, and is still read by the next run.
LATE_DAYS = 2


@dataclass(frozen=True)
class Window:
    """`start <= cursor < end`; `start` None reaches back to the first row.

    The cursor is the column that the table's contract names as such: `updated_at`.
    """

    start: dt.datetime | None
    end: dt.datetime


def day_start(day: dt.date, timezone: ZoneInfo) -> dt.datetime:
    """Midnight at which the business day begins."""
    return dt.datetime.combine(day, dt.time(), tzinfo=timezone)


def extraction_window(
    ds: dt.date, covered_until: dt.datetime | None, timezone: ZoneInfo, overlap: dt.timedelta
) -> Window:
    """The window of a run for `ds` when everything before `covered_until` has been extracted.

    It begins `overlap` early, for rows that long transactions committed late.
    """
    begin, end = day_start(ds, timezone), day_start(ds + dt.timedelta(days=1), timezone)
    if covered_until is None:
        return Window(start=None, end=end)
    # In UTC: on the wall clock a day may have 23 hours, and the overlap an hour less than was asked for.
    return Window(start=min(begin, covered_until).astimezone(dt.UTC) - overlap, end=end)


def covered_to(window: Window, now: dt.datetime) -> dt.datetime:
    """The time up to which a window is covered at `now`: a day that is not over is not covered."""
    return min(window.end, now)


def clickstream_days(ds: dt.date, covered_day: dt.date | None, available: list[dt.date]) -> list[dt.date]:
    """The day folders that a run for `ds` reads when folders up to `covered_day` have been read.

    Its own day always, and the last LATE_DAYS read ones again, for files that came late. Files that come even
    later are extracted when their day is run again.
    """
    read = covered_day - dt.timedelta(days=LATE_DAYS) if covered_day else None
    return sorted(day for day in available if day == ds or (day < ds and (read is None or day > read)))


def previous_business_date(now: dt.datetime, timezone: ZoneInfo) -> dt.date:
    """Yesterday in the shop's time zone, at `now` (an aware time)."""
    return now.astimezone(timezone).date() - dt.timedelta(days=1)
