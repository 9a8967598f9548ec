"""A site: a Prefect server, a worker and a shop, run by the commands that people run, and receivers of alerts."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import httpx
import psutil
import pytest
from prefect.client.orchestration import SyncPrefectClient

from blocks.settings.environment import REPOSITORY
from demo.services import postgres
from spark_jobs.engine.local_server import free_port
from tests.support.platforms import Platform, empty_database
from tests.support.receivers import Mailbox, Webhook, open_mailbox, open_webhook
from tests.support.rows import DAY, click, customer, order, product, put, write_clicks

PYTHON = sys.executable
SECRET_PATH = "T0/B0/slack-hunter2"
ROUTING_KEY = "pagerduty-hunter2"


@dataclass
class Site:
    """Everything a deployed platform consists of. `environment` is what a person has exported."""

    environment: dict[str, str]
    platform: Platform
    slack: Webhook
    pagerduty: Webhook
    mailbox: Mailbox
    folder: Path
    worker: subprocess.Popen[bytes] | None = None
    dry_run_output: str = ""
    made_by_dry_run: list[Any] = field(default_factory=list)
    bootstrap_output: str = ""

    def run(self, *command: str, check: bool = True, **environment: str) -> str:
        """Run a command as a person would; returns what it printed."""
        return self._run("-m", *command, check=check, **environment)

    def run_code(self, code: str) -> None:
        """Run Python code where the site's environment holds."""
        self._run("-c", code, check=True)

    def _run(self, *arguments: str, check: bool, **environment: str) -> str:
        done = subprocess.run(
            [PYTHON, *arguments],
            cwd=REPOSITORY,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def client(self) -> SyncPrefectClient:
        """A client of the site's server."""
        return SyncPrefectClient(self.environment["PREFECT_API_URL"])

    def start_worker(self) -> None:
        """`prefect worker start` in a process group of its own; waits until it is ready."""
        log = self.folder / "worker.log"
        # Prefect's worker ends by SIGINT; if this run of the tests is in a shell's background, that is ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with log.open("wb") as output:
            self.worker = subprocess.Popen(
                [PYTHON, "-m", "prefect", "worker", "start", "--pool", "process"],
                cwd=REPOSITORY,
                # A worker looks for runs every 10 to 15 seconds by default.
                env={**self.environment, "PREFECT_WORKER_QUERY_SECONDS": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_for(lambda: b"started!" in log.read_bytes(), 90, "the worker has not started")

    def stop_worker(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the worker; with SIGKILL its runs as well, as when a machine is lost."""
        if self.worker is None or self.worker.poll() is not None:
            return
        family = [self.worker, *psutil.Process(self.worker.pid).children(recursive=True)]
        for process in family if how is signal.SIGKILL else family[:1]:
            process.send_signal(how)
        self.worker.wait(60)

    def start_run(self, deployment: str = "daily-ecommerce-pipeline/production", **parameters: Any) -> str:
        """Create a flow run of a deployment; returns its id."""
        with self.client() as client:
            made = client.create_flow_run_from_deployment(
                client.read_deployment_by_name(deployment).id, parameters=parameters
            )
        return str(made.id)

    def state(self, run_id: str) -> str:
        """The name of the run's present state."""
        with self.client() as client:
            return client.read_flow_run(run_id).state_name or ""

    @contextmanager
    def database_down(self) -> Iterator[None]:
        """Within this context the shop's PostgreSQL does not run."""
        postgres.stop(self.folder / "postgres")
        try:
            yield
        finally:
            postgres.start(self.folder / "postgres")

    def wait_for_end(self, run_id: str, seconds: float = 180) -> str:
        """Wait until the run has ended; returns its last state's name."""
        ends = ("Completed", "Failed", "Crashed", "Cancelled")
        wait_for(lambda: self.state(run_id) in ends, seconds, f"run {run_id} has not ended")
        return self.state(run_id)

    def has_begun(self, run_id: str, step: str) -> bool:
        """True if the worker's log shows that the run has come to a step."""
        return f"'{step}-" in (self.folder / "worker.log").read_text(errors="replace")


def wait_for(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Wait until the condition holds; fail with `otherwise` if it does not within `seconds`."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.2)


@contextmanager
def prefect_server_process(folder: Path) -> Iterator[dict[str, str]]:
    """`prefect server start` with a home of its own; gives the environment of its clients."""
    port = free_port()
    environment = {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # Late after 3 seconds instead of 15, and looked for as often.
        "PREFECT_API_SERVICES_LATE_RUNS_AFTER_SECONDS": "3",
        "PREFECT_API_SERVICES_LATE_RUNS_LOOP_SECONDS": "2",
    }
    with (folder / "server.log").open("wb") as output:
        server = subprocess.Popen(
            [PYTHON, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for(lambda: _answers(environment["PREFECT_API_URL"]), 180, "Prefect's server has not started")
        yield environment
    finally:
        server.terminate()
        server.wait(60)


def _answers(api_url: str) -> bool:
    try:
        return httpx.get(f"{api_url}/health", timeout=5).is_success
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server that nothing has been deployed to, and an open shop with one day's orders; no worker runs."""
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        server = stack.enter_context(prefect_server_process(folder))
        slack, pagerduty = stack.enter_context(open_webhook()), stack.enter_context(open_webhook())
        mailbox = stack.enter_context(open_mailbox())
        stack.callback(postgres.stop, folder / "postgres")
        database = stack.enter_context(empty_database(postgres.start(folder / "postgres")))
        platform = Platform(dsn=database, folder=folder / "platform")
        platform.clickstream.mkdir(parents=True)
        open_shop(platform)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        environment = {
            **inherited,
            **server,
            "SHOP_DSN": platform.dsn,
            "SHOP_TIMEZONE": "UTC",
            "CLICKSTREAM_URI": platform.clickstream.as_uri(),
            "LAKE_URI": platform.lake.root,
            "DUCKDB_PATH": str(platform.warehouse),
            "DBT_TARGET_PATH": str(platform.folder / "dbt_target"),
            "REPORT_DIR": str(platform.folder / "reports"),
            "SPARK_REMOTE": "",
            "SLACK_WEBHOOK_URL": f"{slack.url}/{SECRET_PATH}",
            "PAGERDUTY_ROUTING_KEY": ROUTING_KEY,
            "PAGERDUTY_URL": pagerduty.url,
            "SMTP_URL": mailbox.url,
            "ALERT_EMAIL_TO": "data@shop.example",
            "ALERT_ROUTES": '{"info": [], "warning": [], "error": [["slack", "email"]], '
            '"critical": [["slack", "email"], ["pagerduty", "email"]]}',
            "WORK_POOL": "process",
            "LATE_AFTER": "PT10S",
            "RETRY_DELAY_SECONDS": "1",
        }
        made = Site(environment, platform, slack, pagerduty, mailbox, folder)
        yield made
        made.stop_worker()


@pytest.fixture(scope="session")
def deployed(site: Site) -> Site:
    """The site after its first bootstrap, and a dry run before that."""
    site.dry_run_output = site.run("deployments.bootstrap", "--dry-run")
    with site.client() as client:
        site.made_by_dry_run = [
            *client.read_work_pools(),
            *client.read_deployments(),
            *client.read_automations(),
            *client.read_block_documents(),
        ]
    site.bootstrap_output = site.run("deployments.bootstrap")
    return site


@pytest.fixture
def working(deployed: Site) -> Iterator[Site]:
    """The site with a worker, and all alerts so far read."""
    deployed.start_worker()
    deployed.slack.requests.clear()
    deployed.pagerduty.requests.clear()
    deployed.mailbox.messages.clear()
    yield deployed
    deployed.stop_worker()


def assert_marts_are_right(site: Site) -> None:
    [(expected,)] = site.platform.execute("select sum(amount) from orders")
    with duckdb.connect(site.platform.warehouse, read_only=True) as connection:
        assert connection.execute("select sum(order_amount) from gold.fct_orders").fetchall() == [(expected,)]


def open_shop(platform: Platform) -> None:
    """A day of a small shop, without anything to warn about."""
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 21)))
    write_clicks(platform.clickstream, DAY, [click(f"e{number}") for number in range(10)])
