"""Queries on the run ledger, answered from the lake."""

import datetime as dt
from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

from lake.delta import Lake
from lake.local_sql import connect
from lake.present_rows import comparable
from tasks.ledger.tables import UNIQUE_BY


class QualityDay(NamedTuple):
    """The results of all expectations on one business day."""

    ds: dt.date
    rows_checked: int | None
    rows_rejected: int | None
    expectations: int
    critical: int
    """Expectations that failed, by severity."""
    warnings: int

    @property
    def score(self) -> float | None:
        """The share of rows that passed the row rules."""
        return 1 - (self.rows_rejected or 0) / self.rows_checked if self.rows_checked else None


DAILY = "daily-ecommerce-pipeline"
# The flows that bring all marts up to the lake.
PUBLISHING = [DAILY, "backfill", "rebuild", "replay"]
# The trailing window of the row-count expectation, and how far off it is still usual.
TRAILING_RUNS, LEAST_RUNS, USUAL_FACTOR = 7, 3, 5


def usual_rows(lake: Lake, table_name: str, ds: dt.date) -> tuple[int, int] | None:
    """Lowest and highest usual number of bronze rows for a table, from the runs of the days before `ds`.

    A factor USUAL_FACTOR around the median of the last TRAILING_RUNS days; None below LEAST_RUNS days.
    """
    rows = query_records(
        lake,
        "table_runs",
        """
        with days as (
            select ds, max(rows_in) as rows_in from records
            where table_name = ? and ds < ? and rows_in > 0
            group by ds order by ds desc limit ?
        )
        select median(rows_in), count(*) from days
        """,
        [table_name, ds, TRAILING_RUNS],
    )
    if not rows or rows[0][1] < LEAST_RUNS:
        return None
    median = rows[0][0]
    return int(median / USUAL_FACTOR), int(median * USUAL_FACTOR)


def missed_rows(lake: Lake, table_name: str, ds: dt.date) -> tuple[int, int] | None:
    """Lowest and highest usual number of rows for a table that brings none for `ds`; None if that is usual.

    Days without rows count here: a table that changes once a week misses none on the others. Nor does one
    whose rows an earlier run for `ds`, or one for a later day, has brought.
    """
    rows = query_records(
        lake,
        "table_runs",
        """
        with days as (
            select ds, max(rows_in) as rows_in from records
            where table_name = $table and ds < $ds
            group by ds order by ds desc limit $days
        ),
        brought as (select count(*) from records where table_name = $table and ds >= $ds and rows_in > 0)
        select median(rows_in), count(*), (from brought) from days
        """,
        {"table": table_name, "ds": ds, "days": TRAILING_RUNS},
    )
    if not rows or rows[0][1] < LEAST_RUNS or rows[0][2]:
        return None
    median = rows[0][0]
    low, high = int(median / USUAL_FACTOR), int(median * USUAL_FACTOR)
    return (low, high) if low else None


def previous_status(
    lake: Lake, flow: str, run_id: str, apart_from: Sequence[tuple[dt.datetime, dt.datetime | None]] = ()
) -> str | None:
    """The status of the run of `flow` before run `run_id`; None if there was none.

    Runs that began in one of the periods `apart_from` do not count; a period's end may be open.
    """
    periods = "".join(
        f" and not (started_at >= ${2 * n + 3} and"
        f" started_at < coalesce(${2 * n + 4}, 'infinity'::timestamptz))"
        for n in range(len(apart_from))
    )
    rows = query_records(
        lake,
        "pipeline_runs",
        f"""
        select status from records where flow = $1 and run_id != $2 {periods}
        order by recorded_at desc limit 1
        """,
        [flow, run_id, *chain.from_iterable(apart_from)],
    )
    return rows[0][0] if rows else None


def is_published(lake: Lake) -> bool:
    """Whether the last run of PUBLISHING flows, which began after all others, has completed."""
    rows = query_records(
        lake,
        "pipeline_runs",
        f"""
        select status from ({latest("pipeline_runs")})
        where list_contains(?, flow) order by started_at desc limit 1
        """,
        [PUBLISHING],
    )
    return rows == [("completed",)]


def usual_seconds(lake: Lake, flow: str = DAILY) -> float | None:
    """The median time of the last TRAILING_RUNS completed runs of a flow; None if there is none."""
    rows = query_records(
        lake,
        "pipeline_runs",
        """
        select median(duration_seconds) from (
            from records where flow = ? and status = 'completed' order by started_at desc limit ?
        )
        """,
        [flow, TRAILING_RUNS],
    )
    return rows[0][0] if rows else None


def delivered_alerts(lake: Lake, run_id: str) -> set[tuple[str, str]]:
    """(alert_id, channel) of the delivered alerts about a run."""
    return set(
        query_records(
            lake,
            "alert_deliveries",
            "select alert_id, channel from records where run_id = ? and is_delivered",
            [run_id],
        )
    )


def settled_alerts(lake: Lake, run_id: str) -> set[str]:
    """The alerts about a run that were delivered, or deliberately not sent: repeated, snoozed and so on."""
    held = query_records(
        lake, "alerts", "select alert_id from records where run_id = ? and outcome != 'undelivered'", [run_id]
    )
    return {alert_id for alert_id, _ in delivered_alerts(lake, run_id)} | {alert_id for (alert_id,) in held}


def quality_scores(lake: Lake, days: int) -> list[tuple[str, float]]:
    """(first run, share of rows that passed the row rules) of the last validated days, newest first.

    One per business day, however many runs have validated it.
    """
    return query_records(
        lake,
        "quality_results",
        """
        select arg_min(run_id, recorded_at), 1 - sum(rows_unexpected) / sum(rows_checked) from records
        where layer = 'bronze' and starts_with(expectation, 'reject_reason ')
        group by ds having sum(rows_checked) > 0 order by min(recorded_at) desc limit ?
        """,
        [days],
    )


def quality_days(lake: Lake, first: dt.date, last: dt.date) -> list[QualityDay]:
    """The results of all runs on each of these business days; days without results are left out.

    A row that two runs validated counts twice, in the score's numerator and in its denominator.
    """
    rows = query_records(
        lake,
        "quality_results",
        """
        select
            ds,
            sum(rows_checked) filter (rules) as rows_checked,
            sum(rows_unexpected) filter (rules) as rows_rejected,
            count(distinct (layer, table_name, expectation)) as expectations,
            count(distinct (layer, table_name, expectation))
                filter (not is_success and severity = 'critical') as critical,
            count(distinct (layer, table_name, expectation))
                filter (not is_success and severity = 'warning') as warnings
        from (select *, layer = 'bronze' and starts_with(expectation, 'reject_reason ') as rules from records)
        where ds between ? and ?
        group by ds order by ds
        """,
        [first, last],
    )
    return [QualityDay(*row) for row in rows]


def query_records(
    lake: Lake, table: str, query: str, parameters: Sequence[Any] | dict[str, Any] = ()
) -> list[tuple]:
    """The answer of `query` on `records`, all records of `ops.<table>`; empty if there are none yet."""
    if lake.table(f"ops.{table}") is None:
        return []
    with connect() as connection:
        connection.register("records", comparable(lake.rows_since(f"ops.{table}", None)))
        return connection.execute(query, parameters).fetchall()


def latest(table: str) -> str:
    """The query for the records of a ledger table that are not superseded by a later one."""
    return (
        "select * from records qualify row_number() over "
        f"(partition by {UNIQUE_BY[table]} order by recorded_at desc) = 1"
    )
