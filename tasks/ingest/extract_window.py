"""The rows that a run for `ds` covers: half-open windows on the cursor, and spans of clickstream days.

A run covers its own business day. If days before it were never covered (the first run, a missed morning),
it covers them too: gold equals the source after any run, not only after an unbroken chain of runs.
"""

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from psycopg2 import sql

from tasks.shop.column_types import ZONELESS
from tasks.shop.relation import SQL, Relation

# A click file may come so many days after its folder was first read, and is still read by the next run.
LATE_DAYS = 2
# A local time is at most so far from the moment it stands for, or from the one it might have meant.
WIDEST_OFFSET = "15 hours"


@dataclass(frozen=True)
class Window:
    """`start <= cursor < end`; `start` None reaches back to the first row.

    The cursor is the column that the table's contract names as such: `updated_at`.
    """

    start: dt.datetime | None
    end: dt.datetime


def day_start(day: dt.date, timezone: dt.tzinfo) -> dt.datetime:
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


def narrow_window(now: dt.datetime) -> Window:
    """A window that selects next to nothing, whatever the table holds: to ask for a plan of windows."""
    # Later than any row, also where local times make it wider.
    start = now + dt.timedelta(days=7)
    return Window(start, start + dt.timedelta(minutes=1))


def window_condition(relation: Relation, window: Window) -> sql.Composable:
    """The window as SQL on the indexed column itself; on a function of it only where it has no zone."""
    conditions = [_compared(relation, "<", window.end)]
    if window.start is not None:
        conditions.append(since_condition(relation, window.start))
    return SQL(" and ").join(conditions)


def since_condition(relation: Relation, start: dt.datetime) -> sql.Composable:
    """The rows whose cursor is `start` or later, as SQL on the indexed column like `window_condition`."""
    return _compared(relation, ">=", start)


def _compared(relation: Relation, operator: str, moment: dt.datetime) -> sql.Composable:
    column = relation.cursor
    found = relation.found.get(relation.table.cursor)
    if found is None or found.name != ZONELESS:
        return SQL("{} {} {}").format(column, SQL(operator), sql.Literal(moment))
    # The index is on the local time: first a wider range of that, then the moment.
    wider = SQL("({}::timestamptz at time zone 'UTC') {} interval {}").format(
        sql.Literal(moment), SQL("+" if operator == "<" else "-"), sql.Literal(WIDEST_OFFSET)
    )
    value = relation.readings[relation.table.cursor].value
    return SQL("{0} {1} {2} and {3} {1} {4}").format(column, SQL(operator), wider, value, sql.Literal(moment))


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
