"""A standalone Apache Spark, which shares nothing with this process but the store, makes the tables of Sail."""

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lake.delta import Lake
from tasks.features.versions import write_versions
from tasks.quality.validation import validate_bronze
from tests.storage.conftest import Store
from tests.support.platforms import here
from tests.support.rows import DAY
from tests.support.spark_cluster import WORKERS, SparkCluster, spark_cluster
from tests.support.spark_dirt import BATCHES, Dirt
from tests.support.spark_tables import write_bronze
from tests.support.spark_work import daily_spark_work, tables_of_spark

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), pytest.mark.apache_spark]


@pytest.fixture(scope="module")
def cluster() -> Iterator[SparkCluster]:
    """A master and two workers."""
    with spark_cluster() as started:
        yield started


@pytest.fixture
def lakes(
    seaweedfs: Store, point_at: Callable[..., Lake], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Lake]:
    """An empty lake for each engine: the cluster's on the store, Sail's in a folder."""
    monkeypatch.setenv("SHOP_TIMEZONE", "America/New_York")
    return {"sail": Lake(tmp_path.as_uri()), "cluster": point_at(seaweedfs)}


def rows_of(lake: Lake, name: str) -> list[str]:
    """The rows of a table, read by neither engine."""
    return sorted(map(repr, lake.rows_since(name, None).to_table().to_pylist()))


def test_a_cluster_makes_the_tables_that_sail_makes(
    cluster: SparkCluster, lakes: dict[str, Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    dirt = Dirt(4)
    with cluster.connect_server() as server:
        for _ in range(BATCHES):
            bronze, outcomes = dirt.bronze(), {}
            for engine, remote in (("sail", ""), ("cluster", server.url)):
                monkeypatch.setenv("LAKE_URI", lakes[engine].root)
                monkeypatch.setenv("SPARK_REMOTE", remote)
                for name, rows in bronze.items():
                    write_bronze(lakes[engine], name, rows)
                counts = daily_spark_work()
                results = validate_bronze.fn("orders", DAY, "run", *here())
                # Which rejected rows a gate shows as samples, each engine chooses.
                outcomes[engine] = counts, [result.model_copy(update={"samples": None}) for result in results]
            assert outcomes["cluster"] == outcomes["sail"]

        # Executors of both workers did it.
        tasks = server.tasks_by_worker()
        assert set(tasks) == {cluster.pages[worker] for worker in WORKERS}
        assert min(tasks.values()) > 100, tasks
    for name in tables_of_spark():
        made = rows_of(lakes["cluster"], name)
        assert made, name
        assert made == rows_of(lakes["sail"], name), name


def test_a_job_is_submitted_to_the_cluster(
    cluster: SparkCluster, lakes: dict[str, Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    bronze = Dirt(5).bronze()["orders"]
    for engine, submission in (("sail", ""), ("cluster", shlex.join(cluster.submit()))):
        monkeypatch.setenv("LAKE_URI", lakes[engine].root)
        monkeypatch.setenv("SPARK_REMOTE", "")
        monkeypatch.setenv("SPARK_SUBMIT", submission)
        write_bronze(lakes[engine], "orders", bronze)
        write_versions("orders", *here())
    versions = rows_of(lakes["cluster"], "versions.orders")
    assert versions
    assert versions == rows_of(lakes["sail"], "versions.orders")
    assert lakes["cluster"].progress("versions.orders", "bronze") == 0

    of_master = cluster.state("master")
    # The master may hear of an end a moment after the flow does.
    [job] = [
        application
        for application in [*of_master["activeapps"], *of_master["completedapps"]]
        if application["name"] == "submitted.py"
    ]
    for worker in WORKERS:
        of_worker = cluster.state(worker)
        executors = [*of_worker["executors"], *of_worker["finishedexecutors"]]
        assert job["id"] in {executor["appid"] for executor in executors}
