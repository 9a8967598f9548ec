"""Quality over several days: an alert's event when three in a row were low, and not before."""

import datetime as dt
import time
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from tasks.alerts.events import LOW_QUALITY_EVENT
from tasks.ledger.queries import quality_scores
from tasks.ledger.records import append_records
from tasks.ledger.run import Run
from tasks.monitoring.on_call import snooze
from tasks.quality.trend import report_low_quality
from tests.support.alerts import ended
from tests.support.ledger_records import record_quality, record_quality_days
from tests.support.platforms import Platform, here, lake_here
from tests.support.rows import DAY, NEXT_DAY, at

NAME = "prefect.resource.name"
RULES = "reject_reason to be null (mostly=0.95)"


def last_of(rejected: list[int]) -> Run:
    """The last of `record_quality_days`."""
    return ended("completed", run_id=f"run-{len(rejected) - 1}")


def test_no_day_no_score(platform: Platform) -> None:
    assert quality_scores(lake_here(), 3) == []


def test_scores_are_of_the_last_days_newest_first(platform: Platform) -> None:
    record_quality_days(50, 1, 2, 10)
    assert quality_scores(lake_here(), 3) == [("run-3", 0.9), ("run-2", 0.98), ("run-1", 0.99)]
    assert [score for _, score in quality_scores(lake_here(), 9)] == [0.9, 0.98, 0.99, 0.5]


def test_a_score_is_of_all_rows_of_a_day(platform: Platform) -> None:
    record_quality("run-1", orders=(90, 0), customers=(10, 10))
    record_quality("run-2", NEXT_DAY, orders=(100, 0))
    record_quality("run-2", NEXT_DAY, customers=(100, 50))
    assert quality_scores(lake_here(), 3) == [("run-2", 0.75), ("run-1", 0.9)]


def test_a_day_that_several_runs_validate_is_one_day(platform: Platform) -> None:
    """The quality flow validates each day twice more: one bad day is no trend for it."""
    for run in ("daily", "noon", "evening"):
        record_quality(run, orders=(100, 50))
    assert quality_scores(lake_here(), 3) == [("daily", 0.5)]
    assert not report_low_quality(ended("completed", run_id="daily"), *here())


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"layer": "gold"}, id="the marts"),
        pytest.param({"expectation": "amount to be between (min_value=0)"}, id="another expectation"),
        pytest.param({"rows_checked": 0, "rows_unexpected": 0}, id="a day without rows"),
        pytest.param({"rows_checked": 0, "rows_unexpected": None}, id="a day whose rows nobody counted"),
    ],
)
def test_what_says_nothing_of_the_rows_is_no_score(platform: Platform, other: dict[str, Any]) -> None:
    record_quality("run-1", orders=(100, 1))
    record = {
        "run_id": "run-2",
        "ds": NEXT_DAY,
        "layer": "bronze",
        "table_name": "orders",
        "expectation": RULES,
        "rows_checked": 100,
        "rows_unexpected": 100,
    }
    append_records(lake_here(), "quality_results", [record | other])
    assert quality_scores(lake_here(), 3) == [("run-1", 0.99)]


@pytest.mark.parametrize(
    "rejected",
    [
        pytest.param([], id="no day"),
        pytest.param([50, 50], id="two low days"),
        pytest.param([50, 1, 50], id="one of three is good"),
        pytest.param([1, 50, 50], id="the third last is good"),
        pytest.param([50, 50, 50, 1], id="the last is good"),
        pytest.param([50, 50, 5], id="as good as it must be"),
    ],
)
def test_what_is_no_trend(platform: Platform, rejected: list[int]) -> None:
    record_quality_days(*rejected)
    assert not report_low_quality(last_of(rejected), *here())


@pytest.mark.parametrize("run_id", ["of another flow", "noon"])
def test_a_run_that_is_not_the_first_to_validate_the_day_does_not_repeat_it(
    platform: Platform, run_id: str
) -> None:
    record_quality_days(50, 50, 50)
    record_quality("noon", DAY + dt.timedelta(days=2), orders=(100, 50))
    assert not report_low_quality(ended("completed", run_id=run_id), *here())


def test_the_minimum_can_be_changed(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    record_quality_days(6, 6, 6)
    monkeypatch.setenv("QUALITY_MINIMUM", "0.9")
    assert not report_low_quality(last_of([6, 6, 6]), *here())


def events(flow: str) -> list[dict[str, Any]]:
    """The low-quality events about a flow that the server knows of; waits for the first."""
    wanted = {"filter": {"event": {"name": [LOW_QUALITY_EVENT]}, "resource": {"labels": {NAME: [flow]}}}}
    with get_client(sync_client=True) as client:
        for _ in range(100):
            if found := client.request("POST", "/events/filter", json=wanted).json()["events"]:
                return found
            time.sleep(0.1)
    return []


@pytest.mark.usefixtures("prefect_server")
def test_three_low_days_in_a_row_are_reported(platform: Platform) -> None:
    record_quality_days(0, 6, 10, 25)
    assert report_low_quality(ended("failed", run_id="run-3", flow="a-flow-of-bad-days"), *here())
    (event,) = events("a-flow-of-bad-days")
    assert event["resource"] == {
        "prefect.resource.id": "ecommerce-pipeline.quality.production",
        NAME: "a-flow-of-bad-days",
    }
    assert event["payload"] == {"ds": "2024-03-04", "scores": "75.0%, 90.0%, 94.0%", "minimum": "95.0%"}
    # A fourth is the same trouble; a good day ends it, and the next three are another.
    for number, rows in enumerate((50, 1, 50, 50, 50), start=4):
        record_quality(f"run-{number}", DAY + dt.timedelta(days=number), orders=(100, rows))
        run = ended("completed", run_id=f"run-{number}", flow="a-flow-of-bad-days")
        assert report_low_quality(run, *here()) is (number == 8)


def test_a_snooze_of_low_quality_holds_it_back_and_what_is_so_at_its_end_is_told(
    platform: Platform, prefect_server: None
) -> None:
    record_quality_days(50, 50, 50)
    snooze(lake_here(), "low-quality", "2d", "an import", "ada", at(DAY))
    assert not report_low_quality(last_of([0, 0, 0]), *here(), at(DAY, 12))
    record_quality("run-3", DAY + dt.timedelta(days=3), orders=(100, 50))
    assert report_low_quality(ended("completed", run_id="run-3"), *here(), at(DAY + dt.timedelta(days=3)))
