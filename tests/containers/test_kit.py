"""The compose kit, brought up by its own commands: healthy, the demo in it, a scheduled run, Spark, its page."""

import datetime as dt
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterDeploymentId
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule

from demo.services.browser import open_browser
from tests.containers.conftest import BUILD, KIT, ByProcesses
from tests.containers.engine import HOME, Engine
from tests.containers.marts import assert_equal, read_marts
from tests.deployments.conftest import wait_for
from tests.support.receivers import Webhook, open_webhook

WAREHOUSE = HOME / "docker" / "volumes" / "ecommerce-pipeline_data" / "_data" / "warehouse.duckdb"
SERVER = "http://127.0.0.1:4200"
METRICS = "http://pushgateway:9091/metrics"
DAILY = "daily-ecommerce-pipeline/production"


@dataclass
class Kit:
    """The kit, up. `environment` is what its `.env` says."""

    engine: Engine
    environment: dict[str, str]

    def compose(self, *command: str, **environment: str) -> str:
        """`docker compose …` in the kit's folder; returns what it printed."""
        return self.engine.run("compose", *command, folder=KIT, **{**self.environment, **environment})

    def up(self, *options: str, **environment: str) -> None:
        """`docker compose up --wait`; if that fails, with what `bootstrap` has said."""
        try:
            self.compose(*options, "up", "--no-build", "--wait", **environment)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.compose('logs', '--no-color', 'bootstrap')}") from None

    def python(self, *arguments: str) -> str:
        """Python in the worker's container."""
        return self.compose("exec", "-T", "worker", "python", *arguments)

    def states(self) -> dict[str, str]:
        """Of each container its health, or how it ended."""
        listed = self.compose("ps", "--all", "--format", "{{.Service}} {{.Health}} {{.ExitCode}}")
        return dict(line.split(" ", 1) for line in listed.splitlines() if line)

    def pushed(self) -> set[str]:
        """The pipeline's own samples in the Pushgateway, without their values."""
        lines = self.python(
            "-c", f"from urllib.request import urlopen; print(urlopen('{METRICS}').read().decode())"
        )
        return {line.rpartition(" ")[0] for line in lines.splitlines() if 'job="' in line}

    def ended(self, run: UUID) -> FlowRun:
        """The run, once it has ended."""
        with self.client() as client:
            wait_for(lambda: client.read_flow_run(run).state.is_final(), 2400, "the run has not ended")  # type: ignore[union-attr]
            return client.read_flow_run(run)

    def client(self) -> SyncPrefectClient:
        """A client of the kit's server."""
        return SyncPrefectClient(f"{SERVER}/api", auth_string=self.environment["PREFECT_AUTH"])


@pytest.fixture(scope="module")
def slack() -> Iterator[Webhook]:
    """Where the kit's alerts go."""
    with open_webhook() as webhook:
        yield webhook


@pytest.fixture(scope="module")
def kit(engine: Engine, image: str, slack: Webhook) -> Iterator[Kit]:
    """`docker compose up --wait`, with passwords of its own; down at the end, and its volumes gone."""
    example = (KIT / ".env.example").read_text(encoding="utf-8")
    names = re.findall(r"^(\w+)=$", example, re.MULTILINE)
    environment = {name: secrets.token_hex(24) for name in names} | {
        "PREFECT_AUTH": f"admin:{secrets.token_hex(24)}",
        "SLACK_WEBHOOK_URL": slack.url,
        "SPARK_REMOTE": "",
        "WORKER_IMAGE": "",
    }
    made = Kit(engine, environment)
    made.compose("--profile", "spark", "down", "--volumes", "--timeout", "5")
    try:
        made.up()
        yield made
    finally:
        made.compose("--profile", "spark", "down", "--volumes", "--timeout", "5")


def test_all_of_it_is_healthy(kit: Kit) -> None:
    states = kit.states()
    assert len(states) == 11
    ended = {"bootstrap", "kafka-topic"}
    assert {name: state.strip() for name, state in states.items() if name in ended} == dict.fromkeys(
        ended, "0"
    )
    assert {state for name, state in states.items() if name not in ended} == {"healthy 0"}


@pytest.fixture(scope="module")
def played(kit: Kit) -> str:
    """What the demo prints in the kit, after its three days."""
    return kit.python("-m", "demo")


def test_the_demo_agrees_with_the_shop_and_with_processes(
    kit: Kit, played: str, by_processes: ByProcesses
) -> None:
    assert "18 order dates compared, 0 differ" in played
    assert "prefect-server:4200" in played
    assert "make" not in played
    assert_equal(read_marts(WAREHOUSE), by_processes.demo)


def test_a_scheduled_run_is_taken_by_the_kits_own_worker(
    kit: Kit, played: str, by_processes: ByProcesses
) -> None:
    soon = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=2)
    schedule = DeploymentScheduleCreate(
        schedule=CronSchedule(cron=f"{soon.minute} {soon.hour} * * *", timezone="UTC"),
        active=True,
        parameters={"ds": "2024-01-15"},
        slug="test",
    )
    with kit.client() as client:
        deployment = client.read_deployment_by_name(DAILY).id
        client.create_deployment_schedules(deployment, [schedule])
        mine = FlowRunFilter(deployment_id=FlowRunFilterDeploymentId(any_=[deployment]))

        def scheduled() -> list[FlowRun]:
            return [
                run
                for run in client.read_flow_runs(flow_run_filter=mine)
                if run.auto_scheduled and run.parameters == {"ds": "2024-01-15"}
            ]

        wait_for(lambda: bool(scheduled()), 240, "nothing has been scheduled")
        first = min(scheduled(), key=lambda run: run.expected_start_time or soon)
    assert kit.ended(first.id).state_name == "Completed"
    assert_equal(read_marts(WAREHOUSE), by_processes.again)


def test_metrics_outlive_the_pushgateway(kit: Kit, played: str) -> None:
    before = kit.pushed()
    assert len(before) > 20
    kit.compose("restart", "pushgateway")
    wait_for(lambda: kit.states()["pushgateway"].startswith("healthy"), 120, "the Pushgateway is not back")
    assert kit.pushed() == before


def test_prometheus_has_the_rules_and_the_metrics(kit: Kit, played: str) -> None:
    def asked(path: str) -> dict:
        return json.loads(
            kit.python(
                "-c",
                f"from urllib.request import urlopen; print(urlopen('http://prometheus:9090/api/v1/{path}').read().decode())",
            )
        )["data"]

    rules = [rule for group in asked("rules")["groups"] for rule in group["rules"]]
    assert len(rules) >= 6
    assert {rule["health"] for rule in rules} == {"ok"}
    [manager] = asked("alertmanagers")["activeAlertmanagers"]
    assert "alertmanager:9093" in manager["url"]
    time.sleep(31)
    assert asked("query?query=count(push_time_seconds)")["result"]


def test_prefects_page_opens_and_shows_the_runs(kit: Kit, played: str, tmp_path: Path) -> None:
    with open_browser(tmp_path) as page:
        page.open(SERVER, 1280, "!!document.querySelector('input')")
        assert "Login" in page.evaluate("document.body.innerText")
        encoded = f"btoa({json.dumps(kit.environment['PREFECT_AUTH'])})"
        page.evaluate(f"localStorage.setItem('prefect-password', {encoded})")
        page.open(f"{SERVER}/runs", 1280, "document.body.innerText.includes('daily-ecommerce-pipeline')")
        (tmp_path / "page.png").write_bytes(page.picture())
        assert "2024-01-15" in page.evaluate("document.body.innerText")


def test_apache_spark_makes_the_same(
    kit: Kit, played: str, engine: Engine, by_processes: ByProcesses
) -> None:
    """The profile `spark`: silver and marts again from all of bronze, in a cluster of its own."""
    engine.run(*BUILD, "--target", "spark", "--tag", "ecommerce-pipeline:spark", str(KIT.parents[1]))
    spark = {"SPARK_REMOTE": "sc://spark-connect:15002"}
    kit.up("--profile", "spark", **spark)
    with kit.client() as client:
        made = client.create_flow_run_from_deployment(client.read_deployment_by_name("rebuild/production").id)
    assert kit.ended(made.id).state_name == "Completed"
    assert "Finished task" in kit.compose("--profile", "spark", "logs", "spark-connect", **spark)
    assert_equal(read_marts(WAREHOUSE), by_processes.rebuilt)
