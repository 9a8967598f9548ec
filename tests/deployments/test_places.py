"""Where runs of a pool keep what they make: refused before anything is deployed if it would be lost."""

from contextlib import nullcontext

import pytest

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import EnvironmentSettings
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
    for name, value in {"WORK_POOL": pool, "WAREHOUSE": "duckdb", **places}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(PermanentFailure, match=lost) if lost else nullcontext():
        DeploymentSettings().require_places(EnvironmentSettings())
