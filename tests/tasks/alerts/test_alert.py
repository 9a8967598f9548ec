"""Alerts about a run's end: how bad it is, and what is known."""

import pytest
from deltalake.exceptions import DeltaError
from prefect.settings import PREFECT_API_URL, PREFECT_UI_URL, temporary_settings

from tasks.alerts.run_alert import alert_about
from tasks.ledger.queries import previous_status
from tasks.ledger.records import append_records
from tasks.ledger.run import Run
from tests.support.alerts import ended, rejected, warned
from tests.support.platforms import Platform, here, lake_here
from tests.support.rows import DAY, at

UI = "http://prefect.example:4200"


def record(run_id: str, status: str, flow: str = "daily") -> None:
    run = {"run_id": run_id, "flow": flow, "ds": DAY, "status": status, "started_at": at(DAY)}
    append_records(lake_here(), "pipeline_runs", [run])


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        pytest.param(ended("completed"), ("run-completed", "info", "completed"), id="completed"),
        pytest.param(
            ended("completed", extracted=warned("orders.coupon is new")),
            ("run-with-warnings", "warning", "completed with warnings"),
            id="completed with notes",
        ),
        pytest.param(
            ended("completed", flagged=rejected(orders=3)),
            ("run-completed", "info", "completed"),
            id="a few rejected rows are no news",
        ),
        pytest.param(ended("failed"), ("run-failed", "error", "failed in transform"), id="failed"),
        pytest.param(
            ended("failed", extracted=warned("orders.coupon is new")),
            ("run-failed", "error", "failed in transform"),
            id="failed with notes",
        ),
        pytest.param(
            ended("failed", step=None),
            ("run-failed", "error", "failed before its first step"),
            id="failed before its first step",
        ),
    ],
)
def test_how_bad_it_is(platform: Platform, run: Run, expected: tuple[str, str, str]) -> None:
    kind, severity, words = expected
    alert = alert_about(run, *here())
    assert (alert.kind, alert.severity, alert.title) == (kind, severity, f"daily {DAY} {words}")
    assert alert.alert_id == f"{kind}/run-1"


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        pytest.param([], "error", id="the first run"),
        pytest.param([("a", "failed")], "critical", id="after a failed run"),
        pytest.param([("a", "completed")], "error", id="after a good run"),
        pytest.param([("a", "failed"), ("b", "completed")], "error", id="the last one counts"),
        pytest.param([("b", "completed"), ("a", "failed")], "critical", id="in the order of their ends"),
        pytest.param([("a", "running"), ("a", "failed")], "critical", id="its last status counts"),
        pytest.param([("a", "running")], "error", id="a run that never ended"),
        pytest.param([("run-1", "failed")], "error", id="the run itself is not the one before"),
        pytest.param(
            [("a", "failed"), ("run-1", "running"), ("run-1", "failed")], "critical", id="nor hides it"
        ),
    ],
)
def test_a_second_failure_in_a_row_is_critical(
    platform: Platform, before: list[tuple[str, str]], expected: str
) -> None:
    for run_id, status in before:
        record(run_id, status)
    alert = alert_about(ended("failed"), *here())
    assert alert.severity == expected
    assert alert.kind == ("run-failed-twice" if expected == "critical" else "run-failed")


def test_another_flows_failure_is_not_ours(platform: Platform) -> None:
    record("a", "failed", flow="rebuild")
    assert alert_about(ended("failed"), *here()).severity == "error"


def test_a_good_run_after_a_failed_one_is_good(platform: Platform) -> None:
    record("a", "failed")
    alert = alert_about(ended("completed"), *here())
    assert (alert.severity, alert.is_resolution) == ("info", True)


def test_a_ledger_that_cannot_be_read_keeps_no_alert_back(platform: Platform) -> None:
    record("a", "failed")
    for log in (platform.folder / "lake" / "ops" / "pipeline_runs" / "_delta_log").glob("*.json"):
        log.write_text("not a log")
    with pytest.raises(DeltaError):
        previous_status(lake_here(), "daily", "run-1")
    assert alert_about(ended("failed"), *here()).kind == "run-failed"


def test_what_is_known_of_a_failed_run(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOK_URL", "https://books.example/runbook.md")
    alert = alert_about(
        ended(
            "failed",
            flagged=rejected(orders=1200, customers=34),
            extracted=warned("orders.coupon is new", "a second thing"),
        ),
        *here(),
    )
    assert alert.facts == {
        "flow": "daily",
        "ds": "2024-03-04",
        "step": "transform",
        "error": "DataFailure: orders: too many rejected",
        "quarantined": "1,234 rows",
        "worth a look": "orders.coupon is new; a second thing",
        "to go on": "python -m flows.daily 2024-03-04",
    }
    assert list(alert.facts)[:4] == ["flow", "ds", "step", "error"]
    assert alert.runbook_url == "https://books.example/runbook.md#run-failed"
    assert not alert.is_resolution


def test_a_completed_run_names_no_step(platform: Platform) -> None:
    alert = alert_about(ended("completed", step="quality_gold"), *here())
    assert alert.facts == {"flow": "daily", "ds": "2024-03-04", "to go on": "python -m flows.status"}


@pytest.mark.parametrize(
    ("flow", "error", "command"),
    [
        ("daily-ecommerce-pipeline", "no", "python -m flows.daily 2024-03-04"),
        ("data-quality", "no", "python -m flows.data_quality 2024-03-04"),
        ("inventory", "no", "python -m flows.inventory"),
        (
            "inventory",
            'lost: `python -m flows.inventory --accept-loss --reason "…"`',
            'python -m flows.inventory --accept-loss --reason "…"',
        ),
    ],
)
def test_a_failure_names_the_command_that_goes_on(
    platform: Platform, flow: str, error: str, command: str
) -> None:
    assert alert_about(ended("failed", flow=flow, error=error), *here()).facts["to go on"] == command


def test_alerts_of_a_flow_are_one_incident(platform: Platform) -> None:
    record("a", "failed")
    alerts = [alert_about(ended("failed"), *here()), alert_about(ended("completed", run_id="run-2"), *here())]
    assert [alert.dedup_key for alert in alerts] == ["daily", "daily"]
    assert len({alert.alert_id for alert in alerts}) == 2


def test_the_run_is_linked_where_prefect_has_a_page_for_it(platform: Platform) -> None:
    with temporary_settings({PREFECT_API_URL: None, PREFECT_UI_URL: None}):
        assert alert_about(ended("failed"), *here()).run_url is None
    run_id = "11111111-2222-3333-4444-555555555555"
    with temporary_settings({PREFECT_UI_URL: UI}):
        assert alert_about(ended("failed", run_id=run_id), *here()).run_url == f"{UI}/runs/flow-run/{run_id}"
