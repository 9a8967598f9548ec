"""The run ledger: what ran, what it did to each table, what each expectation said.

Records are appended to the lake (`ops.*`), where a failed run can still write, and copied into the
warehouse's `ops` schema at the end of each run. Nothing here decides anything.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from blocks.settings import Settings
from spark_jobs.lake import Lake
from tasks.duck import connect

TIMESTAMP = pa.timestamp("us", tz="UTC")
# Grain: one row per change of a run's status; the warehouse keeps the last of each run_id.
PIPELINE_RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("flow", pa.string()),
        ("ds", pa.date32()),
        ("status", pa.string()),
        ("started_at", TIMESTAMP),
        ("ended_at", TIMESTAMP),
        ("duration_seconds", pa.float64()),
        ("rows_in", pa.int64()),
        ("rows_out", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("failed_step", pa.string()),
        ("error", pa.string()),
        ("recorded_at", TIMESTAMP),
    ]
)
# Grain: one row per run and table that went from bronze to silver.
TABLE_RUNS = pa.schema(
    [
        ("run_id", pa.string()),
        ("ds", pa.date32()),
        ("table_name", pa.string()),
        ("rows_in", pa.int64()),
        ("rows_out", pa.int64()),
        ("rows_duplicate", pa.int64()),
        ("rows_quarantined", pa.int64()),
        ("recorded_at", TIMESTAMP),
    ]
)
# Grain: one row per run and expectation.
QUALITY_RESULTS = pa.schema(
    [
        ("run_id", pa.string()),
        ("ds", pa.date32()),
        ("layer", pa.string()),
        ("table_name", pa.string()),
        ("expectation", pa.string()),
        ("severity", pa.string()),
        ("is_success", pa.bool_()),
        ("rows_checked", pa.int64()),
        ("rows_unexpected", pa.int64()),
        ("observed", pa.string()),
        ("samples", pa.string()),
        ("consequence", pa.string()),
        ("recorded_at", TIMESTAMP),
    ]
)
# Grain: one row per attempt to bring an alert to a channel, retries included in the attempt.
ALERT_DELIVERIES = pa.schema(
    [
        ("alert_id", pa.string()),
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("severity", pa.string()),
        ("channel", pa.string()),
        ("is_delivered", pa.bool_()),
        ("detail", pa.string()),
        ("recorded_at", TIMESTAMP),
    ]
)
# Grain: one row per product whose state has changed, or is still bad a day later. `kind` and `alert_id` name
# the message about it; null where there is none.
STOCK_ALERTS = pa.schema(
    [
        ("alert_id", pa.string()),
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("product_id", pa.int64()),
        ("product_name", pa.string()),
        ("state", pa.string()),
        ("on_hand", pa.int64()),
        ("units_per_day", pa.float64()),
        ("days_of_cover", pa.float64()),
        ("reorder_point", pa.int64()),
        ("recorded_at", TIMESTAMP),
    ]
)
TABLES = {
    "pipeline_runs": PIPELINE_RUNS,
    "table_runs": TABLE_RUNS,
    "quality_results": QUALITY_RESULTS,
    "alert_deliveries": ALERT_DELIVERIES,
    "stock_alerts": STOCK_ALERTS,
}
UNIQUE_BY = {
    "pipeline_runs": "run_id",
    "table_runs": "run_id, table_name",
    "quality_results": "run_id, layer, table_name, expectation",
    "alert_deliveries": "alert_id, channel, recorded_at",
    "stock_alerts": "product_id, recorded_at",
}


class QualityDay(NamedTuple):
    """What all expectations said of one business day."""

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


# The trailing window of the row-count expectation, and how far off it is still usual.
TRAILING_RUNS, LEAST_RUNS, USUAL_FACTOR = 7, 3, 5


def append_records(
    table: str,
    records: Sequence[dict[str, Any]],
    onto: DeltaTable | None = None,
    mark: Transaction | None = None,
) -> None:
    """Append records to `ops.<table>` in the lake; `recorded_at` is filled in.

    With `onto`, the table as the caller has read it, and `mark`: raises CommitFailedError if another has
    moved the mark since.
    """
    if not records:
        return
    now = dt.datetime.now(dt.UTC)
    rows = pa.Table.from_pylist([{**record, "recorded_at": now} for record in records], schema=TABLES[table])
    write_deltalake(
        onto or Lake(Settings().lake_uri).uri(f"ops.{table}"),
        rows,
        mode="append",
        commit_properties=CommitProperties(app_transactions=[mark] if mark else []),
    )


def usual_rows(table_name: str, ds: dt.date) -> tuple[int, int] | None:
    """Lowest and highest usual number of bronze rows for a table, from the runs of the days before `ds`.

    A factor USUAL_FACTOR around the median of the last TRAILING_RUNS days; None below LEAST_RUNS days.
    """
    rows = query_records(
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


def previous_status(flow: str, run_id: str) -> str | None:
    """How the run of `flow` before run `run_id` has ended, or `running`; None if there was none."""
    rows = query_records(
        "pipeline_runs",
        "select status from records where flow = ? and run_id != ? order by recorded_at desc limit 1",
        [flow, run_id],
    )
    return rows[0][0] if rows else None


def delivered_alerts(run_id: str) -> set[tuple[str, str]]:
    """(alert_id, channel) of what has reached people about a run."""
    return set(
        query_records(
            "alert_deliveries",
            "select alert_id, channel from records where run_id = ? and is_delivered",
            [run_id],
        )
    )


def quality_scores(days: int) -> list[tuple[str, float]]:
    """(first run, share of rows that passed the row rules) of the last business days judged; newest first.

    A day counts once, however many runs have judged it.
    """
    return query_records(
        "quality_results",
        """
        select arg_min(run_id, recorded_at), 1 - sum(rows_unexpected) / sum(rows_checked) from records
        where layer = 'bronze' and starts_with(expectation, 'reject_reason ')
        group by ds having sum(rows_checked) > 0 order by min(recorded_at) desc limit ?
        """,
        [days],
    )


def quality_days(first: dt.date, last: dt.date) -> list[QualityDay]:
    """What all runs judged of each of these business days; days on which nothing was judged are left out.

    A row that two runs judged counts twice, in the score's numerator and in its denominator.
    """
    rows = query_records(
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
    table: str, query: str, parameters: Sequence[Any] = (), lake: Lake | None = None
) -> list[tuple]:
    """The answer over all records of `ops.<table>`, as `records`; empty if there are none yet.

    In the platform's lake, unless another is given.
    """
    lake = lake or Lake(Settings().lake_uri)
    if lake.table(f"ops.{table}") is None:
        return []
    with connect() as connection:
        connection.register("records", lake.rows_since(f"ops.{table}", None))
        return connection.execute(query, parameters).fetchall()


def latest(table: str) -> str:
    """The query for the records of a ledger table that are not superseded by a later one."""
    return (
        "select * from records qualify row_number() over "
        f"(partition by {UNIQUE_BY[table]} order by recorded_at desc) = 1"
    )


def copy_to_warehouse() -> None:
    """Make the warehouse's `ops` tables equal to the lake's, the last record of each run and check."""
    # Imported only now: the ledger can be read without Prefect (flows/status.py).
    from tasks.warehouse import live_warehouse

    lake = Lake(Settings().lake_uri)
    with live_warehouse() as warehouse:
        with warehouse.session() as session, connect() as local:
            session.execute("create schema if not exists ops")
            for table in TABLES:
                if lake.table(f"ops.{table}") is None:
                    continue
                local.register("records", lake.rows_since(f"ops.{table}", None))
                session.replace(f"ops.{table}", local.sql(latest(table)).to_arrow_table())
        warehouse.publish()
