"""Real S3 over HTTP: moto's server, which forgets, and SeaweedFS, which keeps what it is given."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import boto3
import pytest

from demo.services import s3
from demo.services.s3 import S3Unavailable
from lake.delta import Lake
from spark_jobs.engine.local_server import accepts, answers_in_time, free_port

START_SECONDS = 60


@dataclass(frozen=True)
class Store:
    """An S3 store, and the environment variables that lead to it."""

    environment: dict[str, str]

    @property
    def url(self) -> str:
        return self.environment["AWS_ENDPOINT_URL"]

    def make_bucket(self) -> str:
        """Create a bucket of a new name; returns the name."""
        name = f"shop-{uuid4().hex[:12]}"
        self.client().create_bucket(Bucket=name)
        return name

    def client(self) -> "boto3.client":
        """A client of the store's own, past every proxy."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )


@pytest.fixture(scope="session")
def moto() -> Iterator[Store]:
    """An S3 that starts in a second, in a process of its own (see proxy.py)."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-c", "from moto.server import main; main()", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    store = Store(
        {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "moto",
            "AWS_SECRET_ACCESS_KEY": "hunter2secret",
        }
    )
    has_started = answers_in_time(lambda: accepts(port), lambda: server.poll() is None, START_SECONDS)
    assert has_started, "moto's server has not started"
    yield store
    server.terminate()
    server.wait(30)


@pytest.fixture(scope="session")
def seaweedfs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A SeaweedFS that lives as long as the test session. Where it cannot start, its tests skip, except on CI."""
    directory = tmp_path_factory.mktemp("seaweed")
    try:
        environment = s3.start(directory)
    except S3Unavailable as failure:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(failure))
    yield Store(environment)
    s3.remove(directory)


@pytest.fixture
def point_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Lake]:
    """A function (store, url=…) that makes a lake in a new bucket and has the environment point there."""

    def pointed(store: Store, url: str = "") -> Lake:
        lake = Lake(f"s3://{store.make_bucket()}/lake")
        for name, value in store.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", url or store.url)
        # As Settings hand it on.
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("LAKE_URI", lake.root)
        return lake

    return pointed


@pytest.fixture
def s3_lake(moto: Store, point_at: Callable[..., Lake]) -> Lake:
    """An empty lake on moto."""
    return point_at(moto)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for what is not on the store."""
    return tmp_path
