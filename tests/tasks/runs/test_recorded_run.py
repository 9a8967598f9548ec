"""A run in the ledger, from inside a real flow: how it ended, where, and why."""

from typing import Any

import pytest
from prefect import flow
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, get_current_settings, temporary_settings

from blocks.settings.failures import DataFailure, PermanentFailure
from blocks.settings.settings import Settings
from lake.row_counts import Extracted
from tasks.ledger.run import Run
from tasks.report.run_summary import message
from tasks.runs.recorded_run import recorded_run
from tasks.timing import timed
from tests.support.platforms import Platform, here
from tests.support.recorded_runs import fails, ledger, pipeline, works
from tests.support.rows import DAY

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_a_completed_run(platform: Platform) -> None:
    pipeline(works)()
    assert ledger(platform) == [("completed", None, None, 10, 7, 2, 1, True)]


def test_a_failed_run_names_its_step_and_error_and_keeps_what_was_counted(platform: Platform) -> None:
    with pytest.raises(DataFailure, match="orders: too many rejected"):
        pipeline(works, fails)()
    assert ledger(platform) == [
        ("failed", "step-that-fails", "DataFailure: orders: too many rejected", 10, 7, 2, 1, True)
    ]


def test_a_run_is_recorded_as_running_before_its_first_step(platform: Platform) -> None:
    seen: list[tuple] = []

    def look() -> None:
        rows = platform.lake.table("ops.pipeline_runs").to_pyarrow_table()
        seen.extend(zip(rows["status"].to_pylist(), rows["ended_at"].to_pylist(), strict=True))

    pipeline(look)()
    assert seen == [("running", None)]


@pytest.mark.parametrize(
    "steps", [pytest.param([works], id="completed"), pytest.param([works, fails], id="failed")]
)
def test_a_ledger_that_cannot_be_written_never_hides_the_runs_own_end(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, steps: list[Any]
) -> None:
    (platform.folder / "file").write_text("not a folder")
    monkeypatch.setenv("LAKE_URI", (platform.folder / "file" / "lake").as_uri())
    notified: list[Run] = []
    if fails in steps:
        with pytest.raises(DataFailure, match="orders: too many rejected"):
            pipeline(*steps, notify=lambda run, *_: notified.append(run))()
    else:
        pipeline(*steps, notify=lambda run, *_: notified.append(run))()
    assert [run.status for run in notified] == ["failed" if fails in steps else "completed"]


@pytest.mark.parametrize(
    "steps", [pytest.param([works], id="completed"), pytest.param([works, fails], id="failed")]
)
def test_a_message_that_cannot_be_sent_never_hides_the_runs_own_end(
    platform: Platform, steps: list[Any]
) -> None:
    def unreachable(run: Run, *_: object) -> None:
        raise ConnectionError("nobody is listening")

    if fails in steps:
        with pytest.raises(DataFailure, match="orders: too many rejected"):
            pipeline(*steps, notify=unreachable)()
    else:
        pipeline(*steps, notify=unreachable)()
    assert [row[0] for row in ledger(platform)] == ["failed" if fails in steps else "completed"]


def test_the_ledger_is_written_before_the_message_is_sent(platform: Platform) -> None:
    seen: list[list[tuple]] = []
    pipeline(works, notify=lambda run, *_: seen.append(ledger(platform)))()
    assert [row[0] for row in seen[0]] == ["completed"]


def test_only_the_run_itself_sends_heartbeats(platform: Platform) -> None:
    """A step's own would keep it from ending until their thread wakes; the run's say that it lives."""
    seen: list[int | None] = []

    def look(*_: object) -> None:
        seen.append(get_current_settings().flows.heartbeat_frequency)

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: 30}):
        pipeline(look, notify=look)()
        look()
    assert seen == [None, None, 30]


def test_outside_a_flow_there_is_no_run(platform: Platform) -> None:
    with pytest.raises(RuntimeError, match="inside a flow"), recorded_run("x", DAY, *here(), lambda *_: None):
        pass


def test_the_message_of_a_failed_run_says_where_and_why(platform: Platform) -> None:
    notified: list[Run] = []

    def warned() -> None:
        notified[0].extracted = [Extracted(table="orders", rows=1, warnings=["orders.coupon (text) is new"])]

    @flow(name="test-message")
    def run_steps() -> None:
        with recorded_run("test-pipeline", DAY, *here(), lambda *_: None) as run:
            notified.append(run)
            run.tables = works()
            warned()
            fails()

    with pytest.raises(DataFailure):
        run_steps()
    text = message(notified[0], Settings())
    assert f"test-pipeline {DAY}: failed" in text
    assert "Failed in step-that-fails.** DataFailure: orders: too many rejected" in text
    assert "| orders | 10 | 7 | 2 | 1 | \N{EN DASH} |" in text
    assert "- orders.coupon (text) is new" in text


def test_the_password_reaches_neither_ledger_nor_message(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way: a wrong DSN, through the task that meets it, into ledger and message."""
    from tasks.ingest.postgres import check_contracts

    dsn = platform.dsn.replace("/shop:", "/shop:hunter2secret")
    assert "hunter2secret" in dsn
    monkeypatch.setenv("SHOP_DSN", dsn)
    notified: list[Run] = []

    @timed
    def extract() -> None:
        check_contracts(Settings())

    with pytest.raises(PermanentFailure, match="refuses the connection"):
        pipeline(extract, notify=lambda run, *_: notified.append(run))()
    (row,) = ledger(platform)
    assert row[:2] == ("failed", "extract")
    assert "PermanentFailure" in row[2]
    assert "hunter2secret" not in row[2] + message(notified[0], Settings())
