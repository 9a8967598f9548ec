"""Real parts for the tests: a PostgreSQL, a Prefect server, and a platform of its own for each test."""

import os

# Read when the tasks are defined, so before anything of ours is imported.
os.environ["RETRY_DELAY_SECONDS"] = "0"
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
# No test may find the blocks of a real platform, nor a child process of one resolve its incidents.
os.environ["PREFECT_API_URL"] = ""
os.environ["PAGERDUTY_URL"] = "http://127.0.0.1:9"

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, PREFECT_LOCAL_STORAGE_PATH, temporary_settings
from prefect.testing.utilities import prefect_test_harness
from pyspark.sql import SparkSession

from blocks.settings.environment import PlatformName
from blocks.settings.settings import EnvironmentSettings, Settings
from demo.services.kafka import KafkaUnavailable
from demo.services.kafka import remove as remove_kafka
from demo.services.kafka import start as start_kafka
from demo.services.postgres import start, stop
from lake.delta import Lake
from spark_jobs.engine.local_spark import SparkUnavailable
from spark_jobs.engine.session import spark_session
from tasks.runs.console import silence_teardown
from tests.support import few_rows
from tests.support.emulators import Emulators, EmulatorUnavailable
from tests.support.platforms import Broker, Platform, empty_database
from tests.support.prometheus_servers import open_pushgateway
from tests.support.receivers import Mailbox, Webhook, open_mailbox, open_webhook

silence_teardown()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that may take longest first, by their timeouts: no process is left with one at the end."""
    limits: dict[Path, float] = {}
    for item in items:
        marker = item.get_closest_marker("timeout")
        limits[item.path] = max(limits.get(item.path, 0), marker.args[0] if marker else 0)
    items.sort(key=lambda item: -limits[item.path])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """On CI no slow test begins after its time is over: CI would be cut, and say nothing of those that passed."""
    is_over = time.time() > float(os.environ.get("CI_DEADLINE", "inf"))
    if is_over and item.get_closest_marker("slow"):
        pytest.skip(f"{item.nodeid}: CI has no time left on this machine; make slow")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a real PostgreSQL that lives as long as the test session."""
    directory = tmp_path_factory.mktemp("postgres")
    yield start(directory)
    stop(directory)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real Kafka broker that lives as long as the test session."""
    directory = tmp_path_factory.mktemp("kafka")
    try:
        address = start_kafka(directory)
    except KafkaUnavailable as failure:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(failure))
    yield Broker(address, directory)
    remove_kafka(directory)


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Prefect server on a database of its own; results are stored apart from other runs."""
    with (
        temporary_settings(
            {
                # A sync flow waits up to a second for this thread at its end.
                PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
                PREFECT_LOCAL_STORAGE_PATH: tmp_path_factory.mktemp("prefect-results"),
            }
        ),
        prefect_test_harness(server_startup_timeout=180),
    ):
        yield


@pytest.fixture
def database(postgres: str) -> Iterator[str]:
    """The DSN of an empty database with the shop's tables."""
    with empty_database(postgres) as dsn:
        yield dsn


@pytest.fixture
def platform(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """An empty shop, lake and warehouse that `Settings()` and child processes find in the environment."""
    made = Platform(dsn=database, folder=tmp_path)
    made.clickstream.mkdir()
    for name, value in {
        "SHOP_DSN": made.dsn,
        "CLICKSTREAM_URI": made.clickstream.as_uri(),
        "LAKE_URI": made.lake.root,
        "WAREHOUSE": "duckdb",
        "DUCKDB_PATH": str(made.warehouse),
        "DBT_TARGET_PATH": str(tmp_path / "dbt_target"),
        "REPORT_DIR": str(tmp_path / "reports"),
        "BI_DIR": str(tmp_path / "bi"),
        "TABLEAU_EXTRACTS": "false",
        "SHOP_TIMEZONE": "UTC",
        "SPARK_REMOTE": "",
        "SLACK_WEBHOOK_URL": "",
        "PAGERDUTY_ROUTING_KEY": "",
        "SMTP_URL": "",
        "PUSHGATEWAY_URL": "",
        "OPS_DSN": "",
        "OPENLINEAGE_URL": "",
    }.items():
        monkeypatch.setenv(name, value)
    # Empty is not set: a developer's own .env would speak, and people be notified of the tests.
    for settings in (EnvironmentSettings, PlatformName, Settings):
        monkeypatch.setitem(settings.model_config, "env_file", None)
    assert Settings().lake_uri == made.lake.root
    return made


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulators]:
    """Snowflake and BigQuery, as far as emulators go; started when first asked for."""
    made = Emulators(tmp_path_factory.mktemp("emulators"))
    yield made
    made.stop()


@pytest.fixture(params=["snowflake", "bigquery"])
def cloud(request: pytest.FixtureRequest, emulators: Emulators, monkeypatch: pytest.MonkeyPatch) -> str:
    """The kind of an empty warehouse in the cloud that the environment points at."""
    try:
        environment = emulators.environment(request.param)
    except EmulatorUnavailable as failure:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(failure))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return request.param


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """Stands in for Slack and PagerDuty."""
    with open_webhook() as opened:
        yield opened


@pytest.fixture
def pushgateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a real, empty Pushgateway that `Settings()` names."""
    with open_pushgateway(tmp_path) as url:
        monkeypatch.setenv("PUSHGATEWAY_URL", url)
        yield url


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """Stands in for the mail server."""
    with open_mailbox() as opened:
        yield opened


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """An empty lake."""
    return Lake(tmp_path.as_uri())


@pytest.fixture(scope="session")
def sail() -> SparkSession:
    """The embedded default engine."""
    return spark_session("")


@pytest.fixture(scope="session")
def apache() -> SparkSession:
    """An Apache Spark of this test run. Where it cannot start, its tests skip, except on CI."""
    os.environ.setdefault("JDK_JAVA_OPTIONS", few_rows.JAVA_OPTIONS)
    try:
        session = spark_session("local[2]")
    except SparkUnavailable as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))
    for name, value in few_rows.CONF.items():
        session.conf.set(name, value)
    return session


@pytest.fixture(
    scope="session",
    params=["sail", pytest.param("apache", marks=[pytest.mark.apache_spark, pytest.mark.nightly])],
)
def spark(request: pytest.FixtureRequest) -> SparkSession:
    """Each engine in turn."""
    return request.getfixturevalue(request.param)
