"""Where runs of a pool keep what they make, and what they call: refused before anything is deployed if it is lost."""

from contextlib import nullcontext

import pytest

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import EnvironmentSettings
from deployments.resources.places import addresses, require_places
from deployments.resources.settings import DeploymentSettings

VOLUME = "/opt/ecommerce-pipeline/data"
FILES = {
    "CLICKSTREAM_URI": "/home/shop/clicks",
    "LAKE_URI": "/home/shop/lake",
    "DUCKDB_PATH": "/home/shop/w.duckdb",
}
IN_VOLUME = {"CLICKSTREAM_URI": f"{VOLUME}/c", "LAKE_URI": f"{VOLUME}/l", "DUCKDB_PATH": f"{VOLUME}/w.duckdb"}
STORE = {"CLICKSTREAM_URI": "s3://shop/clicks", "LAKE_URI": "s3://shop/lake"}
CLOUD = {"WAREHOUSE": "bigquery"}
SERVER = "http://prefect.shop.example:4200/api"


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """No developer's `.env` or demo speaks here."""
    for settings in (EnvironmentSettings, DeploymentSettings):
        monkeypatch.setitem(settings.model_config, "env_file", None)


@pytest.mark.parametrize(
    ("pool", "places", "lost"),
    [
        pytest.param("process", FILES, None, id="a process finds its machine's files"),
        pytest.param(
            "docker", FILES, "CLICKSTREAM_URI, LAKE_URI, DUCKDB_PATH would", id="a container does not"
        ),
        pytest.param("docker", IN_VOLUME, None, id="but its volume"),
        pytest.param(
            "docker", IN_VOLUME | {"LAKE_URI": f"{VOLUME}base"}, "and LAKE_URI would", id="beside it"
        ),
        pytest.param("docker", IN_VOLUME | STORE, None, id="a store and the volume"),
        pytest.param(
            "kubernetes", IN_VOLUME, "CLICKSTREAM_URI, LAKE_URI, DUCKDB_PATH would", id="a pod has none"
        ),
        pytest.param("ecs", FILES | STORE, "and DUCKDB_PATH would", id="DuckDB in a task"),
        pytest.param("ecs", FILES | STORE | CLOUD, None, id="a warehouse in the cloud"),
    ],
)
def test_what_a_pool_would_lose_is_refused(
    monkeypatch: pytest.MonkeyPatch, pool: str, places: dict[str, str], lost: str | None
) -> None:
    given = {"WORK_POOL": pool, "WAREHOUSE": "duckdb", "SHOP_DSN": "postgresql://db.example/shop", **places}
    with pytest.raises(PermanentFailure, match=lost) if lost else nullcontext():
        check(monkeypatch, given)


def check(monkeypatch: pytest.MonkeyPatch, given: dict[str, str], server: str = SERVER) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    require_places(DeploymentSettings(), EnvironmentSettings(), server)


@pytest.mark.parametrize("pool", ["docker", "kubernetes", "ecs"])
@pytest.mark.parametrize(
    ("name", "local", "elsewhere"),
    [
        ("SHOP_DSN", "postgresql://u:p@127.0.0.1:5432/shop", "postgresql://u:p@db.example:5432/shop"),
        ("SHOP_DSN", "postgresql:///shop", "postgresql://db-1,db-2/shop"),
        ("SHOP_DSN", "postgresql://db.example,localhost/shop", "host=db.example dbname=shop"),
        ("SHOP_DSN", "host=/run/postgresql dbname=shop", "hostaddr=10.0.0.7 dbname=shop"),
        ("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092", "kafka:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "kafka-1:9092, [::1]:9092", "kafka-1:9092,kafka-2:9092"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:8333", "https://s3.example"),
        ("SPARK_REMOTE", "sc://localhost:15002/;token=x", "sc://spark:15002"),
        ("SPARK_REMOTE", "sc://127.0.0.2:15002", "local[2]"),
        ("PUSHGATEWAY_URL", "http://0.0.0.0:9091", "https://u:p@push.example"),
        ("OPS_DSN", "postgresql://ops@[::1]/ops", "postgresql://ops@10.1.2.3/ops"),
        ("SMTP_URL", "smtp://localhost:25", "smtps://u:p@mail.example"),
        ("SLACK_WEBHOOK_URL", "http://localhost:8065/hooks/x", "https://hooks.slack.example/x"),
        ("SNOWFLAKE_HOST", "localhost", "shop.snowflake.example"),
        ("BIGQUERY_API_ENDPOINT", "http://127.0.0.1:9050", "http://emulator:9050"),
    ],
)
def test_a_container_cannot_call_this_machine_by_loopback(
    monkeypatch: pytest.MonkeyPatch, pool: str, name: str, local: str, elsewhere: str
) -> None:
    kind = "snowflake" if name == "SNOWFLAKE_HOST" else "bigquery"
    rest = {"WORK_POOL": pool, "SHOP_DSN": "postgresql://db.example/shop", "WAREHOUSE": kind, **STORE}
    check(monkeypatch, rest | {name: elsewhere})
    with pytest.raises(PermanentFailure, match=f"and {name} would be the container itself") as refused:
        check(monkeypatch, rest | {name: local})
    assert ("DOCKER_NETWORK=host" in str(refused.value)) == (pool == "docker")
    check(monkeypatch, rest | {name: local, "WORK_POOL": "process"})


def test_it_can_on_the_machines_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    local = {"SHOP_DSN": "postgresql://u@127.0.0.1/shop", "WORK_POOL": "docker", **STORE, **CLOUD}
    check(monkeypatch, local | {"DOCKER_NETWORK": "host"})
    with pytest.raises(PermanentFailure, match="and SHOP_DSN would"):
        check(monkeypatch, local | {"DOCKER_NETWORK": "shop"})


@pytest.mark.parametrize(
    ("pool", "refused"), [("process", False), ("docker", False), ("kubernetes", True), ("ecs", True)]
)
def test_the_server_on_loopback_is_refused_where_the_worker_hands_it_on(
    monkeypatch: pytest.MonkeyPatch, pool: str, refused: bool
) -> None:
    given = {"WORK_POOL": pool, "SHOP_DSN": "postgresql://db.example/shop", **STORE, **CLOUD}
    with pytest.raises(PermanentFailure, match="PREFECT_API_URL would be") if refused else nullcontext():
        check(monkeypatch, given, "http://127.0.0.1:4200/api")


def test_every_fault_is_named_at_once_and_no_secret_is(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"WORK_POOL": "ecs", "SHOP_DSN": "postgresql://u:hunter2@localhost/shop", **FILES}
    with pytest.raises(PermanentFailure) as refused:
        check(
            monkeypatch, given | {"OPS_DSN": "postgresql://u:hunter2@localhost/ops"}, "http://[::1]:4200/api"
        )
    for name in (*FILES, "OPS_DSN, PREFECT_API_URL, SHOP_DSN"):
        assert name in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "looked_at"),
    [
        ({"WAREHOUSE": "snowflake", "PAGERDUTY_ROUTING_KEY": "k"}, {"snowflake_host", "pagerduty_url"}),
        ({"WAREHOUSE": "bigquery"}, {"bigquery_api_endpoint"}),
        ({"WAREHOUSE": "duckdb"}, set()),
    ],
)
def test_every_address_that_runs_call_is_looked_at_and_none_that_they_do_not(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], looked_at: set[str]
) -> None:
    always = {
        *("shop_dsn", "ops_dsn", "aws_endpoint_url", "pushgateway_url", "smtp_url", "slack_webhook_url"),
        *("tableau_server_url", "kafka_bootstrap_servers", "spark_remote"),
    }
    others = {"report_url", "runbook_url", "snowflake_host", "bigquery_api_endpoint", "pagerduty_url"}
    for name in always | others:
        monkeypatch.setenv(name.upper(), "https://somewhere.example")
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert {name for name, _ in addresses(EnvironmentSettings())} == always | looked_at
