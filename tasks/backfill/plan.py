"""The plan of a backfill: which days of a range the lake lacks, and how much there is of each.

What is done is read from the lake's own marks, not from a list beside it: a run that was killed has done what
it has committed.
"""

import datetime as dt

from psycopg2.extensions import connection as Connection
from pydantic import BaseModel

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from blocks.shop.connection import shop_connection
from lake.catalog import shop_tables
from lake.delta import Lake
from tasks.ingest.bronze import covered_until
from tasks.ingest.clickstream import unread_files
from tasks.ingest.extract_window import Window, day_start, previous_business_date, window_condition
from tasks.ledger.queries import is_published, usual_seconds
from tasks.shop.relation import SQL, Relation, find_relation


class Day(BaseModel):
    """A business day of the range, and what of it is not in bronze yet."""

    ds: dt.date
    is_covered: bool
    """Whether all of the shop's tables have been extracted up to its end."""
    rows: dict[str, int] = {}
    """Rows of the shop's tables, if it is not covered; those of the first such day begin at `Plan.since`."""
    files: list[int] = []
    """The bytes of each click file that is new, or another since it was read."""

    @property
    def is_done(self) -> bool:
        """True if there is nothing to extract."""
        return self.is_covered and not self.files


class Plan(BaseModel):
    """The days of a range, the earliest first."""

    days: list[Day]
    since: dt.datetime | None
    """The moment up to which all of the shop's tables have been extracted; None if one has never been."""
    newest: dt.date
    """The last day that is over."""
    is_published: bool
    """Whether the last run that builds all marts has completed: nothing in the lake waits for one."""
    day_seconds: float | None
    """The usual time of a daily run; None before there was one."""

    @property
    def to_do(self) -> list[Day]:
        """The days that are not done."""
        return [day for day in self.days if not day.is_done]

    @property
    def is_done(self) -> bool:
        """True if a run would change nothing."""
        return self.is_published and not self.to_do


def plan_backfill(first: dt.date, last: dt.date, settings: Settings, lake: Lake) -> Plan:
    """Compare a range of days with the lake; reads only.

    Raises PermanentFailure for a range that is no range, or not over yet, and whatever the sources refuse.
    """
    newest = previous_business_date(dt.datetime.now(dt.UTC), settings.shop_timezone)
    if first > last:
        raise PermanentFailure(f"{first} is after {last}; give the earlier day first")
    if last > newest:
        raise PermanentFailure(
            f"{last} is not over yet in {settings.shop_timezone}; end with {newest} or before"
        )
    dates = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    files = unread_files(dates, settings, lake)
    since = _covered(lake)
    with shop_connection(settings) as connection:
        relations = [
            find_relation(connection, table, settings.shop_queries) for table in shop_tables().values()
        ]
        days, start = [], since
        for ds in dates:
            end = day_start(ds + dt.timedelta(days=1), settings.shop_timezone)
            day = Day(ds=ds, is_covered=since is not None and since >= end, files=files.get(ds, []))
            if not day.is_covered:
                day.rows = _rows(connection, relations, Window(start, end))
                start = end
            days.append(day)
    return Plan(
        days=days,
        since=since,
        newest=newest,
        is_published=is_published(lake),
        day_seconds=usual_seconds(lake),
    )


def _covered(lake: Lake) -> dt.datetime | None:
    marks = [covered_until(lake, f"bronze.{table}") for table in shop_tables()]
    known = [mark for mark in marks if mark is not None]
    return dt.datetime.fromtimestamp(min(known), dt.UTC) if len(known) == len(marks) else None


def _rows(connection: Connection, relations: list[Relation], window: Window) -> dict[str, int]:
    counts = {}
    for relation in relations:
        # Without a cursor only a comparison tells what is new.
        if relation.table.changes == "cursor" and not relation.broken:
            query = SQL("select count(*) from {} where {}")
            with connection.cursor() as cursor:
                cursor.execute(query.format(relation.source, window_condition(relation, window)))
                [(counts[relation.table.name],)] = cursor.fetchall()
    return counts
