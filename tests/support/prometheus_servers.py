"""A real Pushgateway and a real Prometheus, from Debian's packages, for the length of a test."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from spark_jobs.engine.local_server import free_port

START_SECONDS = 30


@contextmanager
def open_pushgateway(folder: Path, *options: str) -> Iterator[str]:
    """The URL of a Pushgateway that holds nothing yet."""
    # Debian's default is a file that all of them would share.
    with _served(folder, "prometheus-pushgateway", "/-/ready", "--persistence.file=", *options) as url:
        yield url


@contextmanager
def open_prometheus(folder: Path, config: Path) -> Iterator[str]:
    """The URL of a Prometheus that runs on `config`."""
    options = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    with _served(folder, "prometheus", "/-/ready", *options) as url:
        yield url


@contextmanager
def _served(folder: Path, program: str, ready: str, *options: str) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (folder / f"{program}.log").open("ab") as log:
        server = subprocess.Popen(
            [debian(program), f"--web.listen-address=127.0.0.1:{port}", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        wait_until(lambda: server.poll() is not None or _answers(url + ready), START_SECONDS)
        assert server.poll() is None, (folder / f"{program}.log").read_text()
        yield url
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)


def debian(program: str) -> str:
    """The path of a program of Debian's; a test that wants it skips without, and fails in CI."""
    path = shutil.which(program)
    if path is None:
        missing = f"{program} is not installed: apt-get install prometheus prometheus-pushgateway"
        if os.environ.get("CI"):
            raise RuntimeError(missing)
        pytest.skip(missing)
    return path


def wait_until(is_so: Callable[[], Any], seconds: float) -> Any:
    """What `is_so` returns once that is true; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (found := is_so()):
        assert time.monotonic() < deadline, f"not so after {seconds} s"
        time.sleep(0.05)
    return found


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).is_success
    except httpx.HTTPError:
        return False


def pushed(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every series of ours that the gateway shows, as {(name, labels): value}."""
    text = httpx.get(f"{url}/metrics", timeout=5).text
    return {
        (
            sample.name,
            frozenset((name, value) for name, value in sample.labels.items() if value),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("ecommerce_")
    }


def value(gateway: str, name: str, **labels: str) -> float | None:
    """A series of the daily flow in production, or None."""
    key = {"job": "ecommerce-pipeline", "platform": "production"} | labels
    return pushed(gateway).get((name, frozenset(key.items())))
