"""The run ledger: what it keeps, and what it says is a usual number of rows."""

from typing import Any

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from flows import backfill, daily, rebuild, replay
from lake.delta import Lake
from tasks.ledger.queries import (
    PUBLISHING,
    delivered_alerts,
    missed_rows,
    previous_status,
    query_records,
    usual_rows,
)
from tasks.ledger.records import append_records
from tasks.ledger.tables import TABLES, UNIQUE_BY, ledger_schema
from tasks.ledger.warehouse_copy import copy_to_warehouse
from tasks.quality.validation import validate_bronze, validate_empty
from tasks.transform.compaction import compact_table
from tests.support.flagged_rows import write_flagged
from tests.support.ledger_records import counted, delivery, run_record
from tests.support.platforms import Platform, here, lake_here
from tests.support.rows import DAY


def days(*rows_in: int) -> list[dict[str, Any]]:
    """One record a day, the last for the day before DAY."""
    return [counted(rows, len(rows_in) - number) for number, rows in enumerate(rows_in)]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], None, id="no run at all"),
        pytest.param(days(100, 100), None, id="two days are too few"),
        pytest.param(days(100, 200, 300), (40, 1000), id="three days: a fifth to five times the median"),
        pytest.param(days(1, 1, 1, *[100] * 7), (20, 500), id="only the last seven days count"),
        pytest.param(days(100, 0, 100, 0), None, id="days without rows are no days"),
        pytest.param(
            [*days(100, 100, 100), *(counted(7, days_ago, table="customers") for days_ago in (1, 2, 3))],
            (20, 500),
            id="each table for itself",
        ),
        pytest.param(
            [*days(100, 100, 100), counted(2, 1, run_id="again"), counted(1, 2, run_id="again")],
            (20, 500),
            id="a day that ran again counts once, by its fullest run",
        ),
        pytest.param(
            [*days(100, 100, 100), counted(9_000, 0), counted(9_000, -1)],
            (20, 500),
            id="the day itself and later ones do not count",
        ),
    ],
)
def test_usual_rows(
    platform: Platform, records: list[dict[str, Any]], expected: tuple[int, int] | None
) -> None:
    append_records(lake_here(), "table_runs", records)
    assert usual_rows(lake_here(), "orders", DAY) == expected


@pytest.mark.parametrize(
    ("rows", "warned"),
    [
        pytest.param(20, False, id="a fifth of the median"),
        pytest.param(19, True, id="less"),
        pytest.param(500, False, id="five times the median"),
        pytest.param(501, True, id="more"),
    ],
)
def test_an_unusual_number_of_rows_is_a_warning(platform: Platform, rows: int, warned: bool) -> None:

    append_records(lake_here(), "table_runs", days(100, 100, 100))
    write_flagged(platform, rejected=0, valid=rows)
    failed = [result for result in validate_bronze.fn("orders", DAY, "run", *here()) if not result.is_success]
    assert [(each.severity, each.observed) for each in failed] == ([("warning", str(rows))] if warned else [])


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], None, id="no run at all"),
        pytest.param(days(100, 100), None, id="two days are too few"),
        pytest.param(days(100, 200, 300), (40, 1000), id="rows every day"),
        pytest.param(days(100, 100, 100, 100, 0, 0, 0), (20, 500), id="on most days"),
        pytest.param(days(100, 0, 0, 100, 0, 0, 100), None, id="not on most days"),
        pytest.param(days(4, 4, 4), None, id="so few that none is usual"),
        pytest.param([*days(100, 100, 100), counted(50, 0)], None, id="an earlier run for the day had them"),
        pytest.param([*days(100, 100, 100), counted(50, -1)], None, id="the next day's run had them"),
        pytest.param([*days(100, 100, 100), counted(0, 0)], (20, 500), id="an earlier run had none, either"),
    ],
)
def test_missed_rows(
    platform: Platform, records: list[dict[str, Any]], expected: tuple[int, int] | None
) -> None:
    append_records(lake_here(), "table_runs", records)
    assert missed_rows(lake_here(), "orders", DAY) == expected


@pytest.mark.parametrize(
    ("records", "warned"),
    [
        pytest.param(days(100, 100, 100), ["0"], id="usually it has rows"),
        pytest.param(days(0, 0, 100), [], id="usually it has none"),
    ],
)
def test_no_rows_at_all_are_a_warning_where_some_are_usual(
    platform: Platform, records: list[dict[str, Any]], warned: list[str]
) -> None:
    append_records(lake_here(), "table_runs", records)
    write_flagged(platform, rejected=0, valid=0)
    results = validate_empty.fn("orders", DAY, "run", *here())
    assert [(each.severity, each.is_success, each.observed) for each in results] == [
        ("warning", False, observed) for observed in warned
    ]


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], None, id="no run at all"),
        pytest.param([("c", "running", "daily")], None, id="the run itself"),
        pytest.param([("a", "completed", "daily"), ("b", "failed", "daily")], "failed", id="the last"),
        pytest.param([("a", "running", "daily"), ("a", "failed", "daily")], "failed", id="its last status"),
        pytest.param([("a", "failed", "daily"), ("b", "completed", "rebuild")], "failed", id="of this flow"),
        pytest.param([("a", "failed", "daily"), ("b", "running", "daily")], "running", id="a run that lasts"),
    ],
)
def test_previous_status(
    platform: Platform, records: list[tuple[str, str, str]], expected: str | None
) -> None:
    for run_id, status, flow in records:
        append_records(lake_here(), "pipeline_runs", [run_record(run_id, status, flow=flow)])
    assert previous_status(lake_here(), "daily", "c") == expected


def test_delivered_alerts_are_those_of_the_run_that_have_arrived(platform: Platform) -> None:
    assert delivered_alerts(lake_here(), "a") == set()
    append_records(
        lake_here(), "alert_deliveries", [delivery("a", "slack", False), delivery("a", "email", True)]
    )
    append_records(lake_here(), "alert_deliveries", [delivery("b", "pagerduty", True)])
    assert delivered_alerts(lake_here(), "a") == {("run-failed/a", "email")}
    append_records(lake_here(), "alert_deliveries", [delivery("a", "slack", True)])
    assert delivered_alerts(lake_here(), "a") == {("run-failed/a", "email"), ("run-failed/a", "slack")}


def query(platform: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


def test_the_warehouse_has_the_last_record_of_each_run(platform: Platform) -> None:
    append_records(lake_here(), "pipeline_runs", [run_record("a", "running")])
    append_records(lake_here(), "pipeline_runs", [run_record("b", "running")])
    append_records(
        lake_here(), "pipeline_runs", [run_record("a", "failed", error="why", failed_step="extract")]
    )
    append_records(
        lake_here(), "table_runs", [counted(5, 1, run_id="a"), counted(6, 1, table="customers", run_id="a")]
    )
    copy_to_warehouse(*here())
    copy_to_warehouse(*here())
    assert query(platform, "select run_id, status, failed_step, error from ops.pipeline_runs order by 1") == [
        ("a", "failed", "extract", "why"),
        ("b", "running", None, None),
    ]
    assert query(platform, "select table_name, rows_in from ops.table_runs order by 1") == [
        ("customers", 6),
        ("orders", 5),
    ]


def test_the_warehouse_has_every_attempt_to_notify(platform: Platform) -> None:
    for is_delivered in (False, True):
        append_records(lake_here(), "alert_deliveries", [delivery("a", "slack", is_delivered)])
    copy_to_warehouse(*here())
    copy_to_warehouse(*here())
    columns = "alert_id, channel, is_delivered, detail"
    assert query(platform, f"select {columns} from ops.alert_deliveries order by recorded_at") == [
        ("run-failed/a", "slack", False, "why"),
        ("run-failed/a", "slack", True, "why"),
    ]


def test_a_copy_brings_what_is_new_and_no_more(platform: Platform) -> None:
    def run(number: int) -> int:
        """A run's records, copied at its end; returns how many were written."""
        name = f"run-{number}"
        append_records(lake_here(), "pipeline_runs", [run_record(name, "running")])
        append_records(lake_here(), "pipeline_runs", [run_record(name, "completed")])
        append_records(
            lake_here(), "table_runs", [counted(5, 1, run_id=name), counted(6, 1, "customers", run_id=name)]
        )
        return copy_to_warehouse(*here())

    written = [run(number) for number in range(4)]
    compact_table.fn("ops.pipeline_runs", *here())
    # A run, of which the last record counts, and two tables; after a compaction no more.
    assert [*written, copy_to_warehouse(*here()), run(4)] == [3, 3, 3, 3, 0, 3]
    assert query(platform, "select status, count(*) from ops.pipeline_runs group by 1") == [("completed", 5)]
    assert query(platform, "select count(*), count(distinct run_id) from ops.table_runs") == [(10, 5)]


def test_a_run_that_was_copied_while_it_ran_has_its_end_later(platform: Platform) -> None:
    for status in ("running", "failed"):
        append_records(lake_here(), "pipeline_runs", [run_record("a", status)])
        assert copy_to_warehouse(*here()) == 1
    assert query(platform, "select run_id, status from ops.pipeline_runs") == [("a", "failed")]


def test_a_ledger_that_was_restored_is_copied_whole(platform: Platform) -> None:
    for run_id in ("a", "b"):
        append_records(lake_here(), "pipeline_runs", [run_record(run_id, "completed")])
    copy_to_warehouse(*here())
    DeltaTable(lake_here().uri("ops.pipeline_runs")).restore(0)
    assert copy_to_warehouse(*here()) == 1
    assert query(platform, "select run_id from ops.pipeline_runs") == [("a",)]


def test_the_copy_leaves_the_rest_of_the_warehouse_alone(platform: Platform) -> None:
    with duckdb.connect(platform.warehouse) as connection:
        connection.execute("create table precious as select 42 as value")
    append_records(lake_here(), "pipeline_runs", [run_record("a", "completed")])
    copy_to_warehouse(*here())
    assert query(platform, "select value from precious") == [(42,)]


def test_every_ledger_table_is_copied() -> None:
    assert set(TABLES) == set(UNIQUE_BY)
    for table, unique_by in UNIQUE_BY.items():
        assert {name.strip() for name in unique_by.split(",")} <= set(TABLES[table].names)


def test_the_flows_that_publish_are_known_by_their_names() -> None:
    assert [flow.NAME for flow in (daily, backfill, rebuild, replay)] == PUBLISHING


def test_what_a_restore_has_taken_out_of_the_ledger_hides_nothing_else(lake: Lake) -> None:
    """What delta-rs writes at a delete is text that Arrow compares with nothing."""
    name, schema = "ops.replayed_rows", ledger_schema("replayed_rows")
    rows = [{"quarantine_id": f"q{number}", "table_name": "orders"} for number in range(3)]
    write_deltalake(lake.uri(name), pa.Table.from_pylist(rows, schema=schema))
    DeltaTable(lake.uri(name)).delete("quarantine_id = 'q1'")
    query = "select quarantine_id from records where quarantine_id > 'q0' and table_name = 'orders'"
    assert query_records(lake, "replayed_rows", query) == [("q2",)]
