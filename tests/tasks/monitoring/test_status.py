"""`python -m flows.status`: a healthy shop, every way of being broken, and what cannot be known."""

import datetime as dt
import json
import resource
import subprocess
import sys
from typing import Any

import pytest
import yaml
from prefect.settings import PREFECT_API_URL, temporary_settings
from rich.console import Console

from blocks.settings.environment import REPOSITORY, AlertThresholds
from blocks.settings.saved_blocks import saved_values
from blocks.settings.settings import EnvironmentSettings, Settings
from flows import daily
from flows import status as flows_status
from tasks.ledger.records import append_records
from tasks.monitoring import status as module
from tasks.monitoring.status import DAILY, MOST_LAG, Status, collect_status
from tasks.monitoring.status_screen import show
from tasks.warehouse.access import staged_warehouse
from tests.support.ledger_records import delivery
from tests.support.platforms import Broker, Platform, lake_here
from tests.support.rows import DAY, order
from tests.support.silver_tables import Silver, load, rejected
from tests.support.stock_events import produce

NOW = dt.datetime.now(dt.UTC)


def ran(status: str, hours_ago: float = 1, flow: str = DAILY, run_id: str = "a", **values: Any) -> None:
    """Record a run that took a minute."""
    began = NOW - dt.timedelta(hours=hours_ago)
    ended = None if status == "running" else began + dt.timedelta(minutes=1)
    given = {"run_id": run_id, "flow": flow, "ds": DAY, "status": status, "started_at": began}
    append_records(lake_here(), "pipeline_runs", [given | {"ended_at": ended} | values])


def validated(expectation: str, is_success: bool, severity: str = "critical", run_id: str = "a") -> None:
    given = {"layer": "gold", "table_name": "fct_orders", "ds": DAY, "samples": "7, 8"}
    said = {"expectation": expectation, "severity": severity, "is_success": is_success, "run_id": run_id}
    append_records(lake_here(), "quality_results", [given | said])


@pytest.fixture
def shop(silver: Silver) -> Silver:
    """A healthy shop: a good run an hour ago, a warehouse, three rejected rows of which one has healed."""
    silver.append(
        "quarantine.orders",
        *(rejected(number, "orders", str(number), order(1)["updated_at"]) for number in (1, 8, 9)),
    )
    with staged_warehouse(Settings()) as staged:
        load(staged.path)
        staged.publish()
    ran("running")
    ran("completed")
    validated("order_id unique", is_success=True)
    return silver


def looked() -> Status:
    return collect_status(EnvironmentSettings(), AlertThresholds(), NOW)


def test_a_healthy_shop(shop: Silver) -> None:
    status = looked()
    assert (status.broken, status.unknown, status.verdict) == ([], [], "healthy")
    (run,) = status.runs
    assert (run.flow, run.ds, run.status) == (DAILY, DAY, "completed")
    assert run.completed_at == NOW - dt.timedelta(minutes=59)
    assert status.newest_data["orders"] == order(1)["updated_at"]
    assert [(each.source, each.reason, each.rows) for each in status.open_quarantine] == [
        ("orders", "amount_in_range", 2)
    ]


def test_warnings_and_what_went_wrong_before_the_last_run_are_not_broken(shop: Silver) -> None:
    validated("amount positive", is_success=False, run_id="older")
    validated("unit_cost positive", is_success=False, severity="warning", run_id="newer")
    ran("failed", hours_ago=5, run_id="before", failed_step="extract")
    ran("running", hours_ago=0.1, run_id="now")
    append_records(
        lake_here(), "alert_deliveries", [delivery("a", "slack", False), delivery("a", "email", True)]
    )
    assert looked().broken == []
    assert [each.expectation for each in looked().failed_expectations] == ["unit_cost positive"]


def test_a_failed_run(shop: Silver) -> None:
    ran("failed", hours_ago=0.5, run_id="b", failed_step="transform", error="DataFailure: why")
    assert looked().broken == [f"{DAILY} 2024-03-04 failed in transform: DataFailure: why"]


def test_a_run_that_does_not_end(shop: Silver) -> None:
    ran("running", hours_ago=2.9, flow="rebuild", run_id="b")
    assert looked().broken == []
    ran("running", hours_ago=3.1, flow="data-quality", run_id="c")
    (sentence,) = looked().broken
    assert sentence.startswith("data-quality 2024-03-04 has been running for 3:0")


@pytest.mark.parametrize(("hours_ago", "is_broken"), [(26, False), (26.1, True)])
def test_no_good_daily_run_for_long(silver: Silver, hours_ago: float, is_broken: bool) -> None:
    ran("completed", hours_ago=hours_ago)
    ran("completed", flow="rebuild", run_id="b")
    late = [each.startswith(f"no {DAILY} has completed since") for each in looked().broken]
    assert late == [True] * is_broken


def test_no_daily_run_at_all(silver: Silver) -> None:
    ran("completed", flow="rebuild")
    assert looked().broken == [f"no {DAILY} has ever run"]


def test_a_critical_expectation(shop: Silver) -> None:
    validated("amount positive", is_success=False, run_id="b")
    status = looked()
    assert status.broken == ["gold fct_orders: amount positive"]
    assert status.failed_expectations[0].samples == "7, 8"


def test_an_alert_that_reached_nobody(shop: Silver) -> None:
    append_records(
        lake_here(), "alert_deliveries", [delivery("a", channel, False) for channel in ("slack", "email")]
    )
    assert looked().broken == ["nobody was notified: run-failed/a"]
    assert (
        collect_status(EnvironmentSettings(), AlertThresholds(), NOW + dt.timedelta(days=8)).undelivered == []
    )


def test_kafka_and_the_lake(shop: Silver, kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = kafka.make_topic(partitions=1)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    monkeypatch.setenv("INVENTORY_TOPIC", topic)
    produce(kafka, topic, range(3))
    assert (looked().consumer_lag, looked().verdict) == ({0: 3}, "healthy")
    monkeypatch.setattr(module, "MOST_LAG", 2)
    assert looked().broken == ["3 inventory events wait in Kafka"]
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    assert looked().verdict == "unknown"
    assert looked().unknown == [
        "consumer lag: TransientFailure: no Kafka broker answers at 127.0.0.1:1; start it, or correct "
        "KAFKA_BOOTSTRAP_SERVERS"
    ]


def test_an_empty_lake_is_unknown(platform: Platform) -> None:
    status = looked()
    assert (status.verdict, status.broken) == ("unknown", [])
    assert status.unknown == [f"runs: none is on record in {platform.lake.root}; is LAKE_URI right?"]


def test_a_lake_that_cannot_be_read_is_unknown(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("runs", "freshness"):
        monkeypatch.setattr(module, {"runs": "last_runs", "freshness": "newest_data"}[name], lambda *_: 1 / 0)
    assert looked().verdict == "unknown"
    assert [each.partition(":")[0] for each in looked().unknown] == ["runs", "freshness"]


def test_a_warehouse_that_is_gone_is_unknown_and_never_hides_what_is_broken(
    shop: Silver, platform: Platform
) -> None:
    platform.warehouse.unlink()
    assert looked().verdict == "unknown"
    assert looked().unknown[0].startswith("quarantine: ")
    ran("failed", hours_ago=0.5, run_id="b")
    assert looked().verdict == "broken"


def test_a_warehouse_in_the_cloud_is_not_asked_and_the_screen_says_so(
    shop: Silver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "Open quarantine: not read"
    show(looked(), Console(width=100))
    assert said not in capsys.readouterr().out
    monkeypatch.setenv("WAREHOUSE", "snowflake")
    status = looked()
    assert (status.verdict, status.open_quarantine) == ("healthy", None)
    show(status, Console(width=100))
    assert said in capsys.readouterr().out


def test_a_writer_does_not_disturb(shop: Silver, platform: Platform) -> None:
    """A run works on a copy: the live file can be opened at any time."""
    with staged_warehouse(Settings()) as staged, staged.session():
        assert looked().verdict == "healthy"


def test_the_screen_is_one_screen(shop: Silver, capsys: pytest.CaptureFixture[str]) -> None:
    ran("failed", hours_ago=0.5, run_id="b", failed_step="transform", error="DataFailure: [bold] why\n" * 9)
    given = {"layer": "gold", "table_name": "fct_orders", "ds": DAY, "severity": "warning", "run_id": "b"}
    append_records(
        lake_here(),
        "quality_results",
        [given | {"expectation": f"expectation {number}", "is_success": False} for number in range(40)],
    )
    show(looked(), Console(width=100))
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= 40
    assert max(map(len, text.splitlines())) <= 100
    assert text.startswith("BROKEN")
    assert f"- {DAILY} 2024-03-04 failed in transform: DataFailure: [bold] why" in text
    assert "amount_in_range" in text
    assert "and 32 more" in text


def test_on_a_narrow_screen_no_column_goes(shop: Silver, capsys: pytest.CaptureFixture[str]) -> None:
    append_records(
        lake_here(),
        "quality_results",
        [
            {
                "layer": "gold",
                "table_name": "agg_daily_sales",
                "ds": DAY,
                "severity": "warning",
                "run_id": "b",
            }
            | {"expectation": "long " * 20, "is_success": False, "samples": "key " * 20}
        ],
    )
    show(looked(), Console(width=80))
    [line] = [line for line in capsys.readouterr().out.splitlines() if "long " in line]
    assert len(line) <= 80
    assert line.split()[:3] == ["warning", "gold", "agg_daily_sales"]


def command(*arguments: str) -> tuple[int, str, float]:
    """Call the command as a person does; returns its exit code, its output, and its seconds of CPU."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "flows.status", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.stderr == ""
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done.returncode, done.stdout, seconds


def test_the_command_distinguishes_a_healthy_shop_from_a_broken_one_in_less_than_three_seconds(
    shop: Silver,
) -> None:
    """In CPU seconds, which do not grow with what else the machine has to do."""
    code, screen, _ = command()
    assert (code, screen[:7]) == (0, "HEALTHY")

    ran("failed", hours_ago=0.5, run_id="b", failed_step="transform", error="DataFailure: why")
    code, screen, seconds = command()
    assert (code, screen[:6]) == (1, "BROKEN")
    assert "failed in transform: DataFailure: why" in screen
    code, text, again = command("--json")
    shown = json.loads(text)
    assert (code, shown["verdict"]) == (1, "broken")
    assert shown["broken"] == [f"{DAILY} 2024-03-04 failed in transform: DataFailure: why"]
    assert shown["runs"][0]["error"] == "DataFailure: why"
    assert min(seconds, again) < 3


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        pytest.param("LAKE_URI", "file:///a lake", "error: LAKE_URI 'file:///a lake' may hold", id="lake"),
        pytest.param(
            "SHOP_TIMEZONE", "Mars/Olympus", "error: wrong configuration: SHOP_TIMEZONE", id="setting"
        ),
        # Its blocks win over the environment: without an answer, the environment's word may be wrong.
        pytest.param(
            "PREFECT_API_URL",
            "http://127.0.0.1:1/api",
            "error: Prefect's API at http://127.0.0.1:1/api does not answer",
            id="server",
        ),
    ],
)
def test_where_to_look_cannot_be_known(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    value: str,
    words: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["status"])
    monkeypatch.setenv(variable, value)
    saved_values.cache_clear()
    api = {PREFECT_API_URL: value} if variable == "PREFECT_API_URL" else {}
    with temporary_settings(api):
        assert flows_status.main() == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(words)


def test_it_does_without_prefect() -> None:
    code = "import sys, flows.status; sys.exit('prefect' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=False, timeout=60)
    assert done.returncode == 0


def test_it_means_what_the_flows_and_rules_mean() -> None:
    assert daily.NAME == DAILY
    rules = (REPOSITORY / "deployments" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    (lag,) = (rule for rule in yaml.safe_load(rules)["groups"][0]["rules"] if rule["alert"] == "ConsumerLag")
    assert lag["expr"].endswith(f"> {MOST_LAG}")
