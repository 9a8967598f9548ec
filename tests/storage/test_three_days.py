"""The demo's three days with the lake and the clickstream on S3: the marts are those of a lake of files."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pytest

from blocks.settings.environment import REPOSITORY
from tests.storage.conftest import Store
from tests.support.platforms import empty_database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
Marts = dict[str, list[tuple]]


def marts(warehouse: Path) -> Marts:
    """Every row of every published table and view, but the ledger's, and but for when it was read."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        names = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_schema in ('silver', 'quarantine', 'gold')"
        ).fetchall()
        columns = "columns(lambda name: name <> 'read_at')"
        return {
            name: sorted(connection.sql(f"select {columns} from {name}").fetchall(), key=repr)
            for (name,) in names
        }


@pytest.fixture
def play(postgres: str, tmp_path: Path) -> Callable[..., Marts]:
    """A function (name, environment) that plays the three days in a child process; returns the marts."""

    def played(name: str, *options: str, **environment: str) -> Marts:
        folder = tmp_path / name
        folder.mkdir()
        with ExitStack() as stack:
            dsn = stack.enter_context(empty_database(postgres, tables=False))
            done = subprocess.run(
                [sys.executable, "-m", "tests.support.play_days", str(folder / "clicks"), *options],
                cwd=REPOSITORY,
                env={
                    "PATH": "/usr/bin:/bin",
                    "HOME": str(folder),
                    "PYTHONPATH": str(REPOSITORY / "tests"),
                    "PREFECT_HOME": str(folder / "prefect"),
                    "PREFECT_API_URL": "",
                    "GX_ANALYTICS_ENABLED": "false",
                    "SHOP_DSN": dsn,
                    "LAKE_URI": (folder / "lake").as_uri(),
                    "CLICKSTREAM_URI": (folder / "clicks").as_uri(),
                    "DUCKDB_PATH": str(folder / "warehouse.duckdb"),
                    "RETRY_DELAY_SECONDS": "0",
                    "DBT_TARGET_PATH": str(folder / "target"),
                    **environment,
                },
                capture_output=True,
                text=True,
                timeout=900,
                check=False,
            )
        assert done.returncode == 0, done.stderr[-5000:] + done.stdout[-3000:]
        return marts(folder / "warehouse.duckdb")

    return played


def on(store: Store) -> dict[str, str]:
    """The environment of a platform whose lake and clickstream are on a store."""
    bucket = store.make_bucket()
    where = {"LAKE_URI": f"s3://{bucket}/lake", "CLICKSTREAM_URI": f"s3://{bucket}/clicks"}
    return store.environment | where


def test_the_marts_are_those_of_the_files(play: Callable[..., Marts], moto: Store, seaweedfs: Store) -> None:
    expected = play("files")
    assert len(expected["gold.fct_orders"]) > 100
    assert expected["gold.agg_daily_funnel"]
    assert play("moto", **on(moto)) == expected
    assert play("seaweedfs", "--flow", **on(seaweedfs)) == expected
