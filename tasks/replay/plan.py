"""The plan of a replay: what has become, or would become, of the selected rows of quarantine. Reads only."""

import csv
import datetime as dt
import io
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel, ConfigDict

from blocks.settings.settings import Settings
from lake.catalog import catalog, shop_tables
from lake.delta import Lake
from lake.quarantine import PATCH, RULE
from tasks.ingest.bronze import covered_until
from tasks.ingest.decisions import Decisions
from tasks.ingest.extract_window import previous_business_date
from tasks.replay.patch import read_patch
from tasks.replay.rules import passing_rows
from tasks.replay.selection import Selection
from tasks.replay.versions import ID, replaced

# For more, the whole table is read again.
MOST_NAMED_KEYS = 10_000
WAITING = "waiting"


class Count(NamedTuple):
    """Rows of a business day that were rejected for one reason, and the fix that they have, or WAITING."""

    ds: dt.date | None
    reason: str
    fix: str
    rows: int


class ReplayPlan(BaseModel):
    """What a replay will do."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    selection: Selection
    counts: list[Count]
    ds: dt.date
    """The newest day up to which the shop has been extracted: a run for it moves no mark."""
    reread: Decisions
    """The keys that wait are read from the shop once more."""

    @property
    def days(self) -> list[dt.date]:
        """The days to extract: of clicks the selected folders, then the newest day, for the gate's totals."""
        is_clicks = self.selection.table not in shop_tables()
        folders = {each.ds for each in self.counts if is_clicks and each.ds and each.ds != self.ds}
        return [*sorted(folders), self.ds]

    @property
    def rows(self) -> int:
        """All selected rows."""
        return sum(each.rows for each in self.counts)


def plan_replay(selection: Selection, patch: str, settings: Settings, lake: Lake) -> ReplayPlan:
    """See what the selected rows are, whether they pass today's rules, and whether the patch file does.

    Raises PermanentFailure or DataFailure if selection or file are refused.
    """
    rows = selection.rows(lake)
    fixes = fixes_so_far(rows, selection, settings, lake)
    waiting = without(rows, fixes)
    if patch:
        now = dt.datetime.now(dt.UTC)
        patched = read_patch(Path(patch), rows, fixes, selection.table, settings, lake, now)
        fixes |= dict.fromkeys(patched[ID].to_pylist(), PATCH)
        waiting = without(rows, fixes)
    found = zip(rows["ds"].to_pylist(), rows["reason"].to_pylist(), rows[ID].to_pylist(), strict=True)
    counts = Counter((ds, reason, fixes.get(each, WAITING)) for ds, reason, each in found)
    return ReplayPlan(
        selection=selection,
        counts=sorted((Count(*what, rows=number) for what, number in counts.items()), key=_by_day),
        ds=_newest_day(settings, lake),
        reread=_reread(selection.table, waiting),
    )


def _by_day(count: Count) -> tuple[str, str, str]:
    return str(count.ds or ""), count.reason, count.fix


def fixes_so_far(rows: pa.Table, selection: Selection, settings: Settings, lake: Lake) -> dict[str, str]:
    """quarantine_id -> fix, of the rows that something has replaced and of those that pass the rules now."""
    fixes = replaced(lake, selection.table, rows)
    waiting = without(rows, fixes)
    if not waiting.num_rows:
        return fixes
    passing = passing_rows(waiting, selection.table, settings, lake)
    return fixes | dict.fromkeys(passing[ID].to_pylist(), RULE)


def without(rows: pa.Table, fixes: Collection[str]) -> pa.Table:
    """The rows that have no fix."""
    return rows.filter(pc.invert(pc.is_in(rows[ID], pa.array(fixes, pa.string()))))


def _newest_day(settings: Settings, lake: Lake) -> dt.date:
    marks = [covered_until(lake, f"bronze.{table}") for table in shop_tables()]
    known = [mark for mark in marks if mark is not None]
    if not known:
        return previous_business_date(dt.datetime.now(dt.UTC), settings.shop_timezone)
    # The mark is where the next day begins.
    covered = dt.datetime.fromtimestamp(min(known), dt.UTC)
    return (covered - dt.timedelta(seconds=1)).astimezone(settings.shop_timezone).date()


def _reread(table: str, waiting: pa.Table) -> Decisions:
    keys = waiting["key"].drop_null().unique().to_pylist()
    if table not in shop_tables() or not keys:
        return Decisions()
    if len(keys) > MOST_NAMED_KEYS:
        return Decisions(reread=(table,))
    values = io.StringIO()
    csv.writer(values, lineterminator="").writerow(keys)
    return Decisions(reread=(f"{table}:{catalog()[table].key}={values.getvalue()}",))
