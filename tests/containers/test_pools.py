"""The pools of containers: docker as the README says, to the letter; going back a version; ECS but for Amazon itself."""

import json
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from dotenv import dotenv_values
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate

from blocks.settings.environment import REPOSITORY
from blocks.settings.settings import EnvironmentSettings
from deployments.resources.settings import DeploymentSettings
from deployments.resources.work_pool import job_template
from tests.containers.conftest import ByProcesses
from tests.containers.engine import HOME, Engine
from tests.containers.marts import assert_equal, read_marts
from tests.containers.reader import Reader, block, reader
from tests.deployments.conftest import wait_for
from tests.support.moto_ecs import Account, open_account

VOLUME = HOME / "docker" / "volumes" / "ecommerce-pipeline-data" / "_data"


@pytest.fixture(scope="module")
def followed(engine: Engine, clone: Path) -> Iterator[Reader]:
    """A reader who has carried out the README's block; its terminals are still open."""
    engine.run("volume", "rm", "--force", "ecommerce-pipeline-data")
    with reader(clone, engine.environment) as opened:
        commands = block(REPOSITORY / "README.md", "### In containers")
        assert len(commands) == 12
        (clone / "data" / "printed.log").write_text(opened.carry_out(commands))
        yield opened


def test_the_readme_is_true(followed: Reader) -> None:
    printed = (followed.folder / "data" / "printed.log").read_text()
    assert "18 order dates compared, 0 differ" in printed
    assert "Completed" in printed[printed.rindex("daily-ecommerce-pipeline/production") :]
    worker = followed.logs[1].read_text()
    assert "Docker container" in worker
    assert "Failed to create the Prefect home directory" not in worker


def test_the_marts_are_those_of_processes(followed: Reader, by_processes: ByProcesses) -> None:
    assert (VOLUME / "warehouse.duckdb").stat().st_uid == 1000
    assert_equal(read_marts(VOLUME / "warehouse.duckdb"), by_processes.again)


def test_the_image_is_small_and_says_what_it_is(followed: Reader, engine: Engine) -> None:
    [image] = json.loads(engine.run("image", "inspect", "ecommerce-pipeline:latest"))
    assert image["Size"] < 2.2e9
    assert image["Config"]["User"] == "pipeline"
    assert image["Config"]["Labels"]["org.opencontainers.image.title"] == "ecommerce-pipeline"
    assert image["Config"]["Healthcheck"]["Test"][-1] == "deployments/docker/health.py"
    for absent in (".git", ".venv", "tests", "data/demo.env", "/opt/venv/bin/pytest", "/opt/venv/bin/pip"):
        engine.run("run", "--rm", "ecommerce-pipeline", "test", "!", "-e", absent)


@pytest.mark.parametrize(
    ("wrong", "remedy"),
    [
        ({"DOCKER_NETWORK": "bridge"}, "SHOP_DSN would be the container itself (loopback)"),
        ({"DOCKER_NETWORK": "shops"}, "docker network create shops"),
        (
            {"WORKER_IMAGE": "ecommerce-pipeline:7"},
            "has an image ecommerce-pipeline:7 (WORKER_IMAGE): make image",
        ),
        ({"LAKE_URI": "/srv/lake"}, "LAKE_URI would be on the disk of a container"),
        ({"DOCKER_HOST": "unix:///nowhere.sock"}, "no Docker daemon answers here"),
    ],
)
def test_what_cannot_work_is_refused_with_its_remedy(
    followed: Reader, wrong: dict[str, str], remedy: str
) -> None:
    check = ".venv/bin/python -m deployments.bootstrap --check"
    assert "works" in followed.carry_out([check])
    mistaken = Reader(followed.folder, followed.environment | wrong, ExitStack())
    printed = mistaken.carry_out([f"{check} > data/refused.log 2>&1; test $? = 1; cat data/refused.log"])
    assert remedy in " ".join(printed.split())


def test_going_back_is_bootstrapping_the_older_image(followed: Reader, engine: Engine) -> None:
    """As docs/deploy.md says; the older one here differs by its name only."""
    old = "ecommerce-pipeline:old"
    engine.run("tag", "ecommerce-pipeline:latest", old)
    options = (
        "--network",
        "host",
        "--env",
        "PREFECT_API_URL",
        "--env",
        "WORK_POOL",
        "--env",
        "DOCKER_NETWORK",
    )

    def deploy(image: str) -> str:
        command = ("run", "--rm", *options, "--env", f"WORKER_IMAGE={image}", image)
        return engine.run(*command, "python", "-m", "deployments.bootstrap", **followed.environment)

    printed = deploy(old)
    assert "not checked: no Docker daemon answers here" in printed
    assert "job template" in printed
    run = "run daily-ecommerce-pipeline/production --param ds=2024-01-15 --watch"
    followed.carry_out([f".venv/bin/prefect deployment {run}"])
    created = (
        "events",
        "--since",
        "20m",
        "--until",
        "0s",
        "--filter",
        "event=create",
        "--format",
        "{{.From}}",
    )
    assert engine.run(*created).split()[-1] == old
    assert "job template" in deploy("ecommerce-pipeline:latest")
    assert "no changes" in deploy("ecommerce-pipeline:latest")


DAILY = "daily-ecommerce-pipeline/production"


@pytest.fixture
def account() -> Iterator[Account]:
    """An AWS account of moto's."""
    with open_account() as opened:
        yield opened


def test_what_ecs_is_told_to_run_runs(
    followed: Reader, engine: Engine, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = {name.lower(): arn for name, arn in account.deployment.items()}
    deployment = DeploymentSettings(work_pool="ecs", **roles)
    for name, value in deployment.variables(EnvironmentSettings()).items():
        monkeypatch.setenv(name, value)
    with SyncPrefectClient("http://127.0.0.1:4200/api") as client:
        client.create_work_pool(WorkPoolCreate(name="ecs", type="ecs", base_job_template=job_template("ecs")))
        daily = client.read_deployment_by_name(DAILY)
        client.update_deployment(daily.id, DeploymentUpdate(work_pool_name="ecs"))
        run = client.create_flow_run_from_deployment(daily.id, parameters={"ds": "2024-01-15"})
        worker = subprocess.Popen(
            [".venv/bin/prefect", "worker", "start", "--pool", "ecs"],
            cwd=followed.folder,
            env={**followed.environment, **account.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(lambda: bool(account.tasks()), 300, "no task has been run")
        finally:
            worker.terminate()
            worker.wait(120)
        [task] = account.tasks()
        [given] = task["overrides"]["containerOverrides"]
        environment = [f"--env={each['name']}={each['value']}" for each in given["environment"]]
        assert f"--env=PREFECT__FLOW_RUN_ID={run.id}" in environment
        engine.run(
            *("run", "--rm", "--network", "host", *environment),
            *("--volume", "ecommerce-pipeline-data:/opt/ecommerce-pipeline/data"),
            *("ecommerce-pipeline:latest", *given["command"]),
        )
        assert client.read_flow_run(run.id).state_name == "Completed"
        client.update_deployment(daily.id, DeploymentUpdate(work_pool_name="docker"))


GATEWAY = "172.17.0.1"


def test_runs_on_a_network_of_their_own_and_a_server_with_a_password(
    followed: Reader, by_processes: ByProcesses
) -> None:
    """As docs/deploy.md says, "Docker": the last test, since it takes the terminals of the others."""
    followed.terminals.close()
    shop = dotenv_values(followed.folder / "data" / "demo.env")["SHOP_DSN"] or ""
    _let_containers_reach(urlsplit(shop).port)
    password = secrets.token_hex(24)
    followed.environment |= {
        "DOCKER_NETWORK": "bridge",
        "SHOP_DSN": shop.replace("127.0.0.1", GATEWAY),
        # The daily run has no need of it.
        "KAFKA_BOOTSTRAP_SERVERS": f"{GATEWAY}:9092",
    }
    followed.carry_out(
        [command.replace("…", password) for command in block(REPOSITORY / "docs" / "deploy.md", "## Docker")]
    )
    assert httpx.post("http://127.0.0.1:4200/api/deployments/count", timeout=30).status_code == 401
    printed = followed.carry_out(
        [
            ".venv/bin/python -m deployments.bootstrap",
            ".venv/bin/prefect worker start --pool docker",
            f".venv/bin/prefect deployment run {DAILY} --param ds=2024-01-15 --watch",
        ]
    )
    assert password not in printed
    assert "Completed" in printed[printed.rindex(DAILY) :]
    assert_equal(read_marts(VOLUME / "warehouse.duckdb"), by_processes.again)


def _let_containers_reach(port: int | None) -> None:
    """The demo's database listens on loopback, as a shop's would not: what asks the bridge comes from loopback."""
    rules = (
        f"PREROUTING --destination {GATEWAY} -p tcp --dport {port} -j DNAT --to-destination 127.0.0.1",
        f"INPUT -p tcp --dport {port} -j SNAT --to-source 127.0.0.1",
    )
    for rule in rules:
        subprocess.run(["iptables", "-t", "nat", "-A", *rule.split()], check=True)
    Path("/proc/sys/net/ipv4/conf/docker0/route_localnet").write_text("1")
