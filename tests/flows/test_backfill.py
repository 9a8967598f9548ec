"""A backfill: a range of days in one go, or in several that are killed; and what it shows before."""

import datetime as dt
import shutil
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from prefect.artifacts import Artifact

from blocks.settings.failures import PermanentFailure
from flows.backfill import backfill
from flows.daily import daily_ecommerce_pipeline
from flows.subflows.extract import extract
from lake.delta import Lake
from tasks.backfill.plan import plan_backfill
from tests.properties.compare import assert_same, lake_rows, warehouse_rows
from tests.properties.crash import Place
from tests.support.mortal import Mortal, mortal_process
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, at, click, customer, order, product, put, write_clicks

pytestmark = pytest.mark.usefixtures("prefect_server")

DAYS = [DAY + dt.timedelta(days=number) for number in range(30)]
FIRST, LAST = DAYS[0], DAYS[-1]
TABLES = ["orders", "customers", "products", "clickstream"]
OF_A_RUN = ("load_id", "read_at")
KILLS = [
    Place("flows.backfill", "extract", 4, "after"),
    Place("tasks.ingest.chunks", "unseen", 6, "inside"),
    Place("flows.backfill", "extract", 9, "before"),
    Place("spark_jobs.silver.job", "upsert", 5, "after"),
    # Between the checkpoint of the finished warehouse and the rename.
    Place("tasks.warehouse.duckdb", "os.fsync", 1, "after"),
]


def make_month(platform: Platform, days: list[dt.date]) -> None:
    """A shop in which each day two orders come, one of the day before changes, and people click; one row is bad."""
    put(platform, "customers", customer(1), customer(2, region="south"))
    put(platform, "products", product(1), product(2, unit_cost=Decimal("1.25")))
    for number, day in enumerate(days):
        at_noon = {"order_date": day, "updated_at": at(day)}
        put(platform, "orders", order(2 * number, amount=Decimal(number + 1), **at_noon))
        put(platform, "orders", order(2 * number + 1, customer_id=2, product_id=2, **at_noon))
        if number:
            changed = {"order_date": days[number - 1], "updated_at": at(day, 13)}
            put(platform, "orders", order(2 * number - 1, customer_id=2, status="shipped", **changed))
        lines = [click(f"e{number}-{each}", timestamp=at(day).isoformat()) for each in range(3)]
        write_clicks(platform.clickstream, day, [*lines, *(["broken"] if number == 7 else [])])
    put(platform, "orders", order(99, amount=Decimal(0), order_date=days[-1], updated_at=at(days[-1])))


def contents(platform: Platform) -> dict[str, list[tuple]]:
    """Every row of the lake's bronze, silver, quarantine and gold, and of the marts, in a fixed order."""
    names = [f"{layer}.{table}" for layer in ("bronze", "silver", "quarantine") for table in TABLES]
    tables = {
        name: lake_rows(platform.lake, name, without=OF_A_RUN)
        for name in [*names, "gold.daily_sales", "gold.daily_segment_sales"]
    }
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        marts = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('silver', 'quarantine', 'gold')"
        ).fetchall()
        return tables | {
            f"mart {name}": warehouse_rows(connection, f"from {name}", OF_A_RUN) for (name,) in marts
        }


def versions(lake: Lake) -> dict[str, int]:
    return {name: lake.table(name).version() for name in lake.tables()}


def runs(platform: Platform) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute("select flow, status from ops.pipeline_runs order by started_at").fetchall()


@pytest.fixture
def mortal(prefect_server: None) -> Iterator[Mortal]:
    with mortal_process() as process:
        yield process


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_month_that_is_killed_five_times_equals_one_go(
    platform: Platform, mortal: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARANTINE_THRESHOLD", "0.5")
    make_month(platform, DAYS)
    log = tmp_path / "child.log"
    arguments = [FIRST.isoformat(), LAST.isoformat(), False]
    left = []
    for place in KILLS:
        mortal.order("backfill", arguments, place, log)
        assert mortal.exit_code() == -signal.SIGKILL, f"it was not killed at {place}: {log.read_text()}"
        left.append(len(plan_backfill(FIRST, LAST, *here()).to_do))
        assert not platform.warehouse.exists()
    assert left == [26, 21, 13, 0, 0]
    mortal.order("backfill", arguments, None, log)
    assert mortal.exit_code() == 0, log.read_text()
    assert [status for _, status in runs(platform)] == ["running"] * 5 + ["completed"]

    killed, before, begun = contents(platform), versions(platform.lake), time.monotonic()
    backfill(FIRST, LAST, dry_run=False)
    seconds = time.monotonic() - begun
    assert versions(platform.lake) == before
    assert seconds < 10
    assert Artifact.get("backfill-progress").data == 100

    shutil.rmtree(platform.folder / "lake")
    platform.warehouse.unlink()
    daily_ecommerce_pipeline(LAST)
    one_go = contents(platform)
    assert killed.keys() == one_go.keys()
    for name, rows in one_go.items():
        assert_same(name, killed[name], rows)
    source = platform.execute(
        "select order_date, sum(amount), count(*) from orders where amount > 0 group by 1 order by 1"
    )
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        marts = connection.execute(
            "select order_date, sum(order_amount), count(*) from gold.fct_orders group by 1 order by 1"
        ).fetchall()
    assert marts == source
    assert len(marts) == 30


def test_an_old_day_comes_after_new_ones_and_only_its_clicks_are_read(platform: Platform) -> None:
    """Its file comes later than any daily run would look."""
    make_month(platform, DAYS[:2])
    extract(DAYS[1], *here())
    early = FIRST - dt.timedelta(days=9)
    write_clicks(platform.clickstream, early, [click("late", timestamp=at(early).isoformat())])
    assert [day.ds for day in plan_backfill(early, DAYS[1], *here()).to_do] == [early]
    before = versions(platform.lake)
    [extracted] = extract(early, *here(), clicks_only=True)
    assert (extracted.table, extracted.rows) == ("clickstream", 1)
    assert plan_backfill(early, DAYS[1], *here()).to_do == []
    after = versions(platform.lake)
    assert {name for name in after if after[name] != before[name]} == {"bronze.clickstream"}


def test_a_range_is_shown_and_nothing_is_changed(platform: Platform) -> None:
    make_month(platform, DAYS[:3])
    backfill(DAYS[1], DAYS[2])
    assert platform.lake.tables() == []
    assert not platform.warehouse.exists()


def test_a_range_that_is_none_is_refused(platform: Platform) -> None:
    with pytest.raises(PermanentFailure, match="2024-03-05 is after 2024-03-04; give the earlier day first"):
        backfill(DAYS[1], DAYS[0])
    today = dt.datetime.now(dt.UTC).date()
    with pytest.raises(PermanentFailure, match=f"{today} is not over yet in UTC; end with"):
        backfill(DAYS[0], today)
