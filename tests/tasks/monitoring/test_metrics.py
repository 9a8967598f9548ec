"""What a real Pushgateway holds after a run, and that its absence changes nothing for the run."""

import logging
import time
from typing import Any

import httpx
import pytest
from prometheus_client.exposition import generate_latest

from blocks.settings.failures import DataFailure
from lake.row_counts import RowCounts
from spark_jobs.engine.local_server import free_port
from tasks.monitoring import metrics
from tasks.monitoring.metrics import METRICS, push_metrics
from tests.support.alerts import ended
from tests.support.ledger_records import record_quality_days
from tests.support.platforms import Platform, here
from tests.support.prometheus_servers import open_pushgateway, pushed, value
from tests.support.recorded_runs import fails, ledger, pipeline, works
from tests.support.rows import DAY, at
from tests.support.silver_tables import Silver

ORDERS = RowCounts("orders", rows_in=10, rows_out=7, duplicates=2, rejected={"status_known": 1})


def good(**values: Any) -> Any:
    """A completed run of two steps that published orders."""
    given = {"duration_seconds": 12.5, "seconds": {"extract": 2.0, "transform": 9.5}, "tables": [ORDERS]}
    return ended("completed", **given | values)


def test_a_run_and_its_tables(platform: Platform, pushgateway: str) -> None:
    before = time.time()
    push_metrics(good(), *here())
    now = pushed(pushgateway)
    of_run = {name: each for (name, labels), each in now.items() if dict(labels).get("flow") == "daily"}
    assert {"flow", "platform", "job"} <= {key for _, labels in now for key, _ in labels}
    for name in ("run_last_success", "table_last_success"):
        assert before <= of_run.pop(f"ecommerce_{name}_timestamp_seconds") <= time.time()
    del of_run["ecommerce_step_duration_seconds"]
    assert of_run == {
        "ecommerce_run_success": 1,
        "ecommerce_run_duration_seconds": 12.5,
        "ecommerce_run_records_processed": 10,
        "ecommerce_table_rows_in": 10,
        "ecommerce_table_rows_out": 7,
        "ecommerce_table_rows_quarantined": 1,
    }
    assert value(pushgateway, "ecommerce_table_rows_out", flow="daily", table="orders") == 7
    assert value(pushgateway, "ecommerce_step_duration_seconds", flow="daily", step="transform") == 9.5


def test_a_failed_run_leaves_the_last_success_and_what_the_tables_took_in(
    platform: Platform, pushgateway: str
) -> None:
    push_metrics(good(), *here())
    success = value(pushgateway, "ecommerce_run_last_success_timestamp_seconds", flow="daily")
    push_metrics(ended("failed", duration_seconds=3.0, run_id="run-2"), *here())
    assert value(pushgateway, "ecommerce_run_success", flow="daily") == 0
    assert value(pushgateway, "ecommerce_run_duration_seconds", flow="daily") == 3
    assert value(pushgateway, "ecommerce_run_last_success_timestamp_seconds", flow="daily") == success
    assert value(pushgateway, "ecommerce_table_rows_out", flow="daily", table="orders") == 7


def test_runs_replace_each_other_and_flows_and_platforms_do_not(
    platform: Platform, pushgateway: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    push_metrics(good(), *here())
    series = len(pushed(pushgateway))
    push_metrics(good(run_id="run-2", duration_seconds=99.0), *here())
    assert len(pushed(pushgateway)) == series
    push_metrics(good(flow="rebuild", duration_seconds=1.0), *here())
    assert value(pushgateway, "ecommerce_run_duration_seconds", flow="daily") == 99
    assert value(pushgateway, "ecommerce_run_duration_seconds", flow="rebuild") == 1
    monkeypatch.setattr(metrics, "PlatformName", lambda: type("Staging", (), {"platform": "staging"}))
    push_metrics(good(duration_seconds=5.0), *here())
    assert value(pushgateway, "ecommerce_run_duration_seconds", flow="daily") == 99
    assert value(pushgateway, "ecommerce_run_duration_seconds", flow="daily", platform="staging") == 5


@pytest.mark.parametrize(
    ("rejected", "score", "streak"),
    [
        pytest.param([1], 0.99, 0, id="a good day"),
        pytest.param([1, 6], 0.94, 1, id="a low one after it"),
        pytest.param([50, 1, 6, 7], 0.93, 2, id="only the last in a row count"),
        pytest.param([50, 50, 5], 0.95, 0, id="as good as it must be"),
    ],
)
def test_the_quality_of_the_last_days(
    platform: Platform, pushgateway: str, rejected: list[int], score: float, streak: int
) -> None:
    record_quality_days(*rejected)
    push_metrics(ended("failed"), *here())
    assert value(pushgateway, "ecommerce_quality_score") == pytest.approx(score)
    assert value(pushgateway, "ecommerce_quality_low_days") == streak


def test_how_new_the_tables_are(silver: Silver, pushgateway: str) -> None:
    push_metrics(good(), *here())
    newest = "ecommerce_table_newest_data_timestamp_seconds"
    assert value(pushgateway, newest, table="orders") == at(DAY).timestamp()
    assert value(pushgateway, newest, table="inventory") is None


def test_every_name_has_its_unit_and_every_sample_its_name(silver: Silver) -> None:
    record_quality_days(1)
    samples = [*metrics.run_samples(good()), *metrics.state_samples(*here())]
    assert {name for name, _, _ in samples} == set(METRICS) - {"ecommerce_consumer_lag_events"}
    text = generate_latest(metrics._registry(samples)).decode()
    for name in {name for name, _, _ in samples}:
        assert f"# HELP {name} {METRICS[name]}\n# TYPE {name} gauge\n" in text
    for name in METRICS:
        assert not name.endswith(("_total", "_count", "_sum", "_bucket", "_ms", "_minutes"))
        assert ("duration" in name or "timestamp" in name) == name.endswith("_seconds")


def test_without_a_gateway_nothing_is_measured(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_push", lambda *_: pytest.fail("measured"))
    push_metrics(good(), *here())


def test_a_login_is_sent_and_kept_out_of_the_log(
    platform: Platform, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    # bcrypt of "hunter2/secret".
    users = "basic_auth_users:\n  pusher: $2b$05$w7QpFuP3Tayb32xwxgoRi.DANl5hiUe2krO3L7L1fuxEpNXWZ7NNK\n"
    (tmp_path / "web.yml").write_text(users)
    caplog.set_level(logging.DEBUG)
    # The gateway asks everybody to log in, whoever wants to know whether it is ready included.
    monkeypatch.setattr(
        "tests.support.prometheus_servers._answers", lambda url: httpx.get(url).status_code == 401
    )
    with open_pushgateway(tmp_path, f"--web.config.file={tmp_path / 'web.yml'}") as url:
        for password in ("hunter2%2Fsecret", "wrong%2Fsecret"):
            monkeypatch.setenv("PUSHGATEWAY_URL", url.replace("://", f"://pusher:{password}@"))
            push_metrics(good(), *here())
        answer = httpx.get(f"{url}/api/v1/metrics", auth=("pusher", "hunter2/secret"), timeout=5)
    assert {group["labels"].get("flow") for group in answer.json()["data"]} == {None, "daily"}
    assert [record.getMessage() for record in caplog.records if "PUSHGATEWAY" in record.getMessage()] == [
        "run run-1: PUSHGATEWAY_URL took no metrics (Unauthorized); start the gateway, or correct the address"
    ]
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        pytest.param("http://me:hunter2secret@127.0.0.1:{port}", "Connection refused", id="nobody listens"),
        pytest.param("http://me:hunter2secret@127.0.0.1:{port}x", "InvalidURL", id="no port"),
        pytest.param("http://me:hunter2:secret@[::1", "ValueError", id="no address"),
    ],
)
def test_a_gateway_that_cannot_be_had_is_a_warning(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    address: str,
    reason: str,
) -> None:
    monkeypatch.setenv("PUSHGATEWAY_URL", address.format(port=free_port()))
    push_metrics(good(), *here())
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert reason in record.getMessage()
    assert "secret" not in caplog.text


def test_a_lake_that_cannot_be_read_leaves_the_runs_own_metrics(
    platform: Platform, pushgateway: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (platform.folder / "file").write_text("not a folder")
    monkeypatch.setenv("LAKE_URI", (platform.folder / "file" / "lake").as_uri())
    push_metrics(good(), *here())
    assert value(pushgateway, "ecommerce_run_success", flow="daily") == 1
    assert {dict(labels).get("flow") for _, labels in pushed(pushgateway)} == {"daily"}


@pytest.mark.usefixtures("prefect_server")
def test_a_recorded_run_pushes_after_the_ledger_and_before_its_message(
    platform: Platform, pushgateway: str
) -> None:

    seen: list[Any] = []

    def notify(run: Any, *_: object) -> None:
        seen.append((ledger(platform)[0][0], value(pushgateway, "ecommerce_run_success", flow=run.flow)))

    with pytest.raises(DataFailure):
        pipeline(works, fails, notify=notify)()
    assert seen == [("failed", 0)]
    assert value(pushgateway, "ecommerce_run_records_processed", flow="test-pipeline") == 10


@pytest.mark.usefixtures("prefect_server")
def test_a_dead_gateway_never_fails_a_run(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:

    monkeypatch.setenv("PUSHGATEWAY_URL", f"http://127.0.0.1:{free_port()}")
    notified: list[str] = []
    pipeline(works, notify=lambda run, *_: notified.append(run.status))()
    assert notified == ["completed"]
    assert ledger(platform)[0][0] == "completed"
