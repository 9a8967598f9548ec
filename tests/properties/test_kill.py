"""A run that is killed at any place changes nothing that a second run does not put right.

Each case starts from the same platform, on which the first day has been run, and the same source, which
has gone on for another day. A child process runs that day and is killed; then the day is run normally.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import duckdb
import psycopg2
import pytest
from filelock import FileLock
from psycopg2 import sql

from blocks.settings.failures import TransientFailure
from flows.daily import daily_ecommerce_pipeline
from lake.catalog import shop_tables
from lake.delta import Lake
from tasks.warehouse import file_lock as writer_lock
from tests.properties.compare import assert_same, lake_rows, warehouse_rows
from tests.properties.crash import Place
from tests.support.mortal import Mortal, mortal_process
from tests.support.platforms import Platform
from tests.support.rows import DAY, NEXT_DAY, at, click, customer, order, product, put, write_clicks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.usefixtures("prefect_server")]

TABLES = ["orders", "customers", "products", "clickstream"]
LAKE = [f"{layer}.{table}" for layer in ("silver", "quarantine") for table in TABLES]
LAKE += ["gold.daily_sales", "gold.daily_segment_sales"]
# Columns that say which load and which reading a row is of: those of the next run are as right.
OF_A_RUN = ("load_id", "read_at")
STEPS = ["extract", "quality_bronze", "transform", "dbt_build", "quality_gold", "publish_warehouse"]
KILLS = [
    *(Place("flows.daily", step, 1, "after") for step in STEPS),
    # Inside a write, or between two that belong together.
    Place("tasks.ingest.chunks", "unseen", 1, "inside"),
    Place("tasks.ingest.bronze", "write_deltalake", 2, "after"),
    Place("spark_jobs.silver.job", "upsert", 1, "after"),
    Place("spark_jobs.silver.job", "upsert", 5, "after"),
    Place("spark_jobs.gold.job", "overwrite", 1, "after"),
    Place("tasks.warehouse.load", "_load", 3, "before"),
    # Between the checkpoint and the rename.
    Place("tasks.warehouse.duckdb", "os.fsync", 1, "after"),
    # The marts are out, and the ledger still says that the run goes on.
    Place("tasks.runs.recorded_run", "append_records", 3, "before"),
]
# From here on the run was complete but for the notification.
NOTIFYING = [
    Place("tasks.runs.recorded_run", "copy_to_warehouse", 1, "before"),
    Place("tasks.report.run_summary", "message", 1, "before"),
]


@dataclass(frozen=True)
class Begun:
    """A platform on which DAY has been run, kept to be copied, and what NEXT_DAY makes of it undisturbed."""

    dsn: str
    folder: Path
    before: dict[str, list[tuple]]
    after: dict[str, list[tuple]]
    lake_after: dict[str, list[tuple]]


def platform_at(folder: Path, dsn: str) -> Platform:
    """Point the environment at a platform in `folder`."""
    made = Platform(dsn=dsn, folder=folder)
    os.environ.update(
        SHOP_DSN=dsn,
        CLICKSTREAM_URI=made.clickstream.as_uri(),
        LAKE_URI=made.lake.root,
        DUCKDB_PATH=str(made.warehouse),
        DBT_TARGET_PATH=str(folder / "dbt_target"),
        REPORT_DIR=str(folder / "reports"),
        SHOP_TIMEZONE="UTC",
        SPARK_REMOTE="",
        QUARANTINE_THRESHOLD="0.5",
    )
    return made


def marts(path: Path) -> dict[str, list[tuple]]:
    """Every row of every table of the warehouse's silver, quarantine and gold, in a fixed order."""
    with duckdb.connect(path, read_only=True) as connection:
        names = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('silver', 'quarantine', 'gold')"
        ).fetchall()
        return {
            name: sorted(warehouse_rows(connection, f"from {name}", OF_A_RUN), key=str) for (name,) in names
        }


def lake_tables(lake: Lake) -> dict[str, list[tuple]]:
    """Every row of the lake's silver, quarantine and gold."""
    return {name: lake_rows(lake, name, without=OF_A_RUN) for name in LAKE}


def last_records(lake: Lake) -> dict[str, tuple[str, str | None]]:
    """Status and error of each run of the ledger, as last recorded, the oldest run first."""
    records = lake_rows(lake, "ops.pipeline_runs", "recorded_at, run_id, status, error")
    return {run_id: (status, error) for _, run_id, status, error in sorted(records, key=lambda each: each[0])}


@pytest.fixture(scope="module")
def begun(postgres: str, prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Begun]:
    """The common start of all cases, and the undisturbed outcome."""
    kept_environment = dict(os.environ)
    admin = psycopg2.connect(postgres)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute("create database killed")
    dsn = postgres.rsplit("/", 1)[0] + "/killed"
    folder = tmp_path_factory.mktemp("begun")
    made = platform_at(folder, dsn)
    make_source(made)
    daily_ecommerce_pipeline(DAY)
    before = marts(made.warehouse)
    undisturbed = platform_at(tmp_path_factory.mktemp("undisturbed") / "platform", dsn)
    shutil.copytree(folder, undisturbed.folder)
    go_on(made)
    shutil.copytree(made.clickstream, undisturbed.clickstream, dirs_exist_ok=True)
    daily_ecommerce_pipeline(NEXT_DAY)
    after = marts(undisturbed.warehouse)
    assert before != after
    yield Begun(dsn, folder, before, after, lake_tables(undisturbed.lake))
    os.environ.clear()
    os.environ.update(kept_environment)
    with admin.cursor() as cursor:
        cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier("killed")))
    admin.close()


def make_source(platform: Platform) -> None:
    """The shop's tables with the rows of DAY."""
    for table in shop_tables().values():
        columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
        platform.execute(f"create table {table.name} ({columns}, primary key ({table.key}))")
    for number in range(1, 4):
        put(platform, "customers", customer(number))
        put(platform, "products", product(number))
    for number in range(1, 13):
        put(platform, "orders", order(number, customer_id=number % 3 + 1, product_id=number % 2 + 1))
    put(platform, "orders", order(99, amount=Decimal(0)))
    write_clicks(platform.clickstream, DAY, [click(f"e{n}") for n in range(8)])


def go_on(platform: Platform) -> None:
    """The rows of NEXT_DAY: new orders, changed ones, a repaired one, a broken one, a customer who moved."""
    for number in range(20, 26):
        put(platform, "orders", order(number, order_date=NEXT_DAY, amount=Decimal("33.33")))
    put(platform, "orders", order(1, status="shipped", amount=Decimal("12.50"), updated_at=at(NEXT_DAY)))
    put(platform, "orders", order(99, updated_at=at(NEXT_DAY, 13)))
    put(platform, "orders", order(2, quantity=0, updated_at=at(NEXT_DAY, 14)))
    put(platform, "customers", customer(1, region="south", updated_at=at(NEXT_DAY)))
    put(platform, "products", product(2, unit_cost=Decimal("5.00"), updated_at=at(NEXT_DAY)))
    lines = [click(f"e{n}", timestamp=at(NEXT_DAY).isoformat()) for n in range(6, 14)]
    write_clicks(platform.clickstream, NEXT_DAY, [*lines, "broken"])


@pytest.fixture
def copied(begun: Begun, tmp_path: Path) -> Platform:
    """A platform of this test's own, as after the run of DAY."""
    made = platform_at(tmp_path / "platform", begun.dsn)
    shutil.copytree(begun.folder, made.folder)
    return made


@pytest.fixture(scope="module")
def mortal(prefect_server: None) -> Iterator[Mortal]:
    with mortal_process() as process:
        yield process


def order_run(mortal: Mortal, place: Place | None, log: Path) -> None:
    """Begin a run of NEXT_DAY in a child process, which kills itself at `place` if it comes there."""
    mortal.order("daily-ecommerce-pipeline", [NEXT_DAY.isoformat()], place, log)


def assert_undisturbed(platform: Platform, begun: Begun) -> None:
    """Every table is what the run would have left that nobody killed, and nothing is left over."""
    for what, actual, expected in (
        ("warehouse", marts(platform.warehouse), begun.after),
        ("lake", lake_tables(platform.lake), begun.lake_after),
    ):
        assert actual.keys() == expected.keys()
        for name, rows in expected.items():
            assert_same(f"{what}: {name}", actual[name], rows)
    assert not list(platform.folder.glob(".*staged*"))


@pytest.mark.parametrize(
    "place", [*KILLS, *NOTIFYING], ids=lambda place: f"{place.moment}-{place.name}-{place.call}"
)
def test_killed_run_is_put_right_by_the_next(
    place: Place, mortal: Mortal, copied: Platform, begun: Begun
) -> None:
    log = copied.folder.with_name("child.log")
    order_run(mortal, place, log)
    assert mortal.exit_code() == -signal.SIGKILL, f"it was not killed: {log.read_text()}"

    live = marts(copied.warehouse)
    assert live in (begun.before, begun.after), "the live warehouse is torn"
    first, killed = last_records(copied.lake).items()
    assert first[1] == ("completed", None)
    assert killed[1] == ("completed" if place in NOTIFYING else "running", None)

    daily_ecommerce_pipeline(NEXT_DAY)
    assert_undisturbed(copied, begun)
    with duckdb.connect(copied.warehouse, read_only=True) as connection:
        recorded = dict(connection.execute("select run_id, status from ops.pipeline_runs").fetchall())
    assert len(recorded) == 3
    assert recorded[killed[0]] == killed[1][0]


@pytest.mark.parametrize("is_same_home", [True, False])
def test_second_run_waits_for_the_first(
    mortal: Mortal, copied: Platform, begun: Begun, monkeypatch: pytest.MonkeyPatch, is_same_home: bool
) -> None:
    """Two processes run the same day at once: one after the other, and the outcome is that of one.

    Also those of two homes on one lake, each with a warehouse of its own.
    """
    log = copied.folder.with_name("child.log")
    if not is_same_home:
        other = copied.folder.with_name("other.duckdb")
        shutil.copyfile(copied.warehouse, other)
        monkeypatch.setenv("DUCKDB_PATH", str(other))
    order_run(mortal, None, log)
    monkeypatch.setenv("DUCKDB_PATH", str(copied.warehouse))
    daily_ecommerce_pipeline(NEXT_DAY)
    assert mortal.exit_code() == 0, log.read_text()
    assert_undisturbed(copied, begun)
    bronze = lake_rows(copied.lake, "bronze.orders", "order_id, updated_at")
    assert len(bronze) == len(set(bronze))
    statuses = [status for status, _ in last_records(copied.lake).values()]
    assert statuses == ["completed"] * 3


@pytest.mark.parametrize("step", ["extract", "transform", "dbt_build"])
def test_a_disk_that_is_full_leaves_what_was_and_loses_nothing(
    step: str, mortal: Mortal, copied: Platform, begun: Begun
) -> None:
    """From a step on no file can grow: the run fails, and once there is room the next one is right.

    The publish, a rename, needs no room.
    """
    log = copied.folder.with_name("child.log")
    mortal.order(
        "daily-ecommerce-pipeline",
        [NEXT_DAY.isoformat()],
        Place("flows.daily", step, 1, "before"),
        log,
        is_full=True,
    )
    assert mortal.exit_code() == 1, f"it did not fail: {log.read_text()}"
    assert marts(copied.warehouse) in (begun.before, begun.after), "the live warehouse is torn"
    daily_ecommerce_pipeline(NEXT_DAY)
    assert_undisturbed(copied, begun)


def test_run_gives_up_on_a_warehouse_that_stays_held(
    copied: Platform, begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that waits too long fails as transient before it has touched anything."""
    monkeypatch.setattr(writer_lock, "LOCK_TIMEOUT_SECONDS", 1)
    bronze = copied.lake.table("bronze.orders").version()
    with (
        FileLock(copied.warehouse.with_name(f".{copied.warehouse.name}.lock")),
        pytest.raises(TransientFailure, match="another run has held the warehouse"),
    ):
        daily_ecommerce_pipeline(NEXT_DAY)
    assert copied.lake.table("bronze.orders").version() == bronze
    assert marts(copied.warehouse) == begun.before
