"""A day run at once on two machines that share a shop and a lake on S3, and nothing else: once in the lake, in both marts."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from blocks.settings.environment import REPOSITORY
from lake.delta import Lake
from tests.storage.conftest import Store
from tests.support.platforms import Platform
from tests.support.rows import DAY, click, customer, order, product, put, write_clicks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture
def shop(database: str, tmp_path: Path) -> Platform:
    """A day of a small shop; one order breaks a rule."""
    made = Platform(dsn=database, folder=tmp_path)
    put(made, "customers", customer(1), customer(2))
    put(made, "products", product(1))
    put(made, "orders", *(order(number, customer_id=number % 2 + 1) for number in range(1, 21)))
    put(made, "orders", order(99, quantity=0))
    return made


def machine(folder: Path, shop: Platform, clicks: str) -> subprocess.Popen[str]:
    """Begin the day's run with a home, a Prefect server and a warehouse of its own."""
    folder.mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "flows.daily", DAY.isoformat()],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "HOME": str(folder),
            "PREFECT_HOME": str(folder / "prefect"),
            "PREFECT_API_URL": "",
            "SHOP_DSN": shop.dsn,
            "SHOP_TIMEZONE": "UTC",
            "CLICKSTREAM_URI": clicks,
            "WAREHOUSE": "duckdb",
            "DUCKDB_PATH": str(folder / "warehouse.duckdb"),
            "DBT_TARGET_PATH": str(folder / "target"),
            "REPORT_DIR": str(folder / "reports"),
            "QUARANTINE_THRESHOLD": "0.5",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def marts(folder: Path) -> dict[str, list[tuple]]:
    """Every row of the published marts, without the load that brought it."""
    with duckdb.connect(folder / "warehouse.duckdb", read_only=True) as connection:
        names = connection.sql("select table_name from information_schema.tables where table_schema = 'gold'")
        rows = "select columns(lambda name: name not in ('load_id', 'read_at')) from gold."
        return {
            name: sorted(connection.sql(rows + name).fetchall(), key=repr) for (name,) in names.fetchall()
        }


def test_a_day_run_at_once_on_two_machines_is_in_the_lake_once(
    moto: Store, point_at: Callable[..., Lake], shop: Platform, tmp_path: Path
) -> None:
    lake = point_at(moto)
    write_clicks(tmp_path / "clicks", DAY, [click(f"e{number}") for number in range(8)])
    bucket = lake.root.removeprefix("s3://").partition("/")[0]
    for file in (tmp_path / "clicks").rglob("*.*"):
        moto.client().upload_file(str(file), bucket, f"clicks/{file.relative_to(tmp_path / 'clicks')}")

    folders = [tmp_path / "one", tmp_path / "two"]
    runs = [machine(folder, shop, f"s3://{bucket}/clicks") for folder in folders]
    said = [run.communicate(timeout=900)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(text[-4000:] for text in said)

    def column(name: str, what: str) -> list[object]:
        table = lake.table(name)
        assert table
        return sorted(table.to_pyarrow_table()[what].to_pylist())

    good = list(range(1, 21))
    assert column("bronze.orders", "order_id") == [*good, 99]
    assert column("silver.orders", "order_id") == good
    assert column("quarantine.orders", "key") == ["99"]
    assert len(column("bronze.clickstream", "raw")) == 8
    assert column("ops.pipeline_runs", "status") == ["completed"] * 2 + ["running"] * 2
    one, two = map(marts, folders)
    assert len(one["agg_daily_funnel"]) > 0
    assert one == two
    in_shop = shop.execute("select order_id, amount from orders where quantity > 0 order by 1")
    for folder in folders:
        with duckdb.connect(folder / "warehouse.duckdb", read_only=True) as connection:
            found = connection.sql("select order_id, order_amount from gold.fct_orders order by 1").fetchall()
        assert found == in_shop
