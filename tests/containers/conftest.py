"""A Docker Engine, the product's image in it, a copy of the repository, and what a run by processes makes of a shop."""

import os
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from blocks.settings.environment import REPOSITORY
from tests.containers.engine import Engine, EngineUnavailable, open_engine
from tests.containers.marts import Marts, read_marts
from tests.containers.stand_ins import have_images
from tests.support.howto import copy_repository

KIT = REPOSITORY / "deployments" / "docker"
BASES = {"python:3.11.14-slim-bookworm", "maven:3.9.11-eclipse-temurin-17"}

BUILD = ("build", "--quiet", "--file", str(KIT / "Dockerfile"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All that is in this folder is run by `make containers` alone."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.containers)
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine of the tests' own, with every image that is not built here; those of Docker Hub, or stand-ins."""
    services = yaml.safe_load((KIT / "compose.yaml").read_text(encoding="utf-8"))["services"].values()
    foreign = {service["image"] for service in services if "build" not in service}
    try:
        with open_engine() as opened:
            stand_ins = have_images(opened, foreign | BASES)
            warnings.warn(f"stand-ins: {', '.join(sorted(stand_ins)) or 'none'}", stacklevel=1)
            yield opened
    except EngineUnavailable as failure:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(failure))


@pytest.fixture(scope="session")
def image(engine: Engine) -> str:
    """The product's image, built from the files that are here."""
    engine.run(*BUILD, "--target", "worker", "--tag", "ecommerce-pipeline:latest", str(REPOSITORY))
    return "ecommerce-pipeline:latest"


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of the repository in which a reader of the README works; its services end with it."""
    yield from _copy(tmp_path_factory.mktemp("reader"))


@dataclass(frozen=True)
class ByProcesses:
    """The marts as processes on this machine make them, with Sail.

    `demo`: of the demo's three days; `again`: after the last once more; `rebuilt`: from all of bronze.
    """

    demo: Marts
    again: Marts
    rebuilt: Marts


@pytest.fixture(scope="session")
def by_processes(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByProcesses]:
    """The shop's days, run in a copy of the repository of their own."""
    for folder in _copy(tmp_path_factory.mktemp("processes")):
        made = []
        for command in ("demo", "flows.daily 2024-01-15", "flows.rebuild"):
            subprocess.run(
                [".venv/bin/python", "-m", *command.split()],
                cwd=folder,
                env=engine.environment,
                check=True,
                timeout=1800,
            )
            made.append(read_marts(folder / "data" / "warehouse.duckdb"))
        yield ByProcesses(*made)


def _copy(folder: Path) -> Iterator[Path]:
    copied = copy_repository(folder / "ecommerce-pipeline")
    try:
        yield copied
    finally:
        subprocess.run([".venv/bin/python", "-m", "demo", "remove"], cwd=copied, check=True, timeout=300)
