"""The docker pool, as the README says: its commands to the letter, then containers on a network of their own."""

import json
from contextlib import ExitStack

import pytest

from tests.containers.conftest import ByProcesses
from tests.containers.engine import HOME, Engine
from tests.containers.marts import assert_equal, read_marts
from tests.containers.reader import Reader

VOLUME = HOME / "docker" / "volumes" / "ecommerce-pipeline-data" / "_data"


def test_the_readme_is_true(followed: Reader) -> None:
    printed = (followed.folder / "data" / "printed.log").read_text()
    assert "18 order dates compared, 0 differ" in printed
    assert (
        "Completed" in printed[printed.rindex("Flow run created") if "Flow run created" in printed else 0 :]
    )
    worker = followed.logs[1].read_text()
    assert "Creating Docker container" in worker
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
    assert old in followed.logs[1].read_text()
    assert "job template" in deploy("ecommerce-pipeline:latest")
    assert "no changes" in deploy("ecommerce-pipeline:latest")
