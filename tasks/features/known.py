"""What the lake knew at a moment: of each row the newest version that had been read by then.

A version is known from `read_at`, the moment at which a run read it; a delete from the moment at which it was
noticed. What was corrected later, came later or was backfilled later is not seen.

A day before the lake's first read is *reconstructed*: a version counts from the morning after the shop wrote
it. Versions that were overwritten before the first read are missing there, and a backfill adds to it.
"""

import datetime as dt
from datetime import tzinfo
from typing import NamedTuple

from lake.source_table import DELETED_AT, READ_AT, SourceTable
from tasks.ingest.extract_window import day_start

# A version without `read_at` is from before there was such a column.
ARRIVED = f"coalesce({READ_AT}, {{cursor}}) <= $known_by"
WRITTEN = f"{DELETED_AT} is null and {{cursor}} < $known_by"
KNOWN = """
    {name} as (
        select * exclude (_rank)
        from (
            select *, row_number() over (partition by {key} order by {order}) as _rank
            from {name}_versions where {known}
        )
        where _rank = 1 and {is_row}
    )
"""


class Day(NamedTuple):
    """A day whose features are computed, as of its end in the shop's time zone."""

    date: dt.date
    begin: dt.datetime
    end: dt.datetime
    is_reconstructed: bool

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of the queries."""
        return {
            "day": self.date,
            "as_of": self.end,
            "known_by": self.begin if self.is_reconstructed else self.end,
            "is_reconstructed": self.is_reconstructed,
        }


def day_of(date: dt.date, zone: tzinfo, first_read: dt.datetime) -> Day:
    """The day `date` in the shop's time zone; reconstructed if it ended before the lake's first read."""
    begin = day_start(date, zone).astimezone(dt.UTC)
    end = day_start(date + dt.timedelta(days=1), zone).astimezone(dt.UTC)
    return Day(date, begin, end, is_reconstructed=end < first_read)


def known_rows(table: SourceTable, is_reconstructed: bool) -> str:
    """The CTE `<table>`: its rows as they were known, one per key, from `<table>_versions`.

    The newest version wins by silver's rule (spark_jobs/silver/change_log.py), and a row that was known to be
    gone is none.
    """
    others = [
        column.name for column in table.columns if column.name != table.cursor and not column.is_personal
    ]
    order = [f"{READ_AT} desc nulls last", f"{table.cursor} desc nulls last", *others, DELETED_AT]
    return KNOWN.format(
        name=table.name,
        key=table.key,
        order=", ".join(order),
        known=(WRITTEN if is_reconstructed else ARRIVED).format(cursor=table.cursor),
        is_row=f"{DELETED_AT} is null" if table.hides_deleted else "true",
    )
