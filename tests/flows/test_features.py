"""`python -m flows.features` and `python -m tasks.repeat_purchase`, as a person runs them."""

import datetime as dt
import os
import subprocess
import sys

import duckdb
import pytest

from blocks.settings.environment import REPOSITORY
from tasks.features.refresh import write_features
from tasks.warehouse.access import staged_warehouse
from tests.properties.runs import lake_run
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, at, customer, order, product, put


def command(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=REPOSITORY,
        env=os.environ,
        capture_output=True,
        text=True,
        timeout=300,
    )


def query(platform: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture
def shop(platform: Platform) -> Platform:
    """A shop whose first day a run has read."""
    put(platform, "customers", customer(1), customer(2))
    put(platform, "products", product(1))
    put(platform, "orders", order(1), order(2, order_date=DAY - dt.timedelta(days=2), updated_at=at(DAY)))
    lake_run(DAY, lambda name, is_complete: None)
    return platform


def test_days_before_the_lake_are_reconstructed_once_and_reach_the_warehouse(shop: Platform) -> None:
    first = DAY - dt.timedelta(days=2)
    last = DAY + dt.timedelta(days=1)
    done = command("flows.features", "--first", first.isoformat(), "--last", last.isoformat())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"features.customer_features: 4 days, {first} to {last}\n"
        f"features.product_features: 4 days, {first} to {last}\n"
    )
    held = query(
        shop,
        "select feature_date, customer_id, total_orders, is_reconstructed from features.customer_features"
        " order by all",
    )
    # Customers were written the day before DAY, orders on DAY: each is known from the day after.
    assert held == [(DAY, 1, 0, True), (DAY, 2, 0, True), (last, 1, 2, True), (last, 2, 0, True)]
    assert query(shop, "select feature_key from features.product_features order by 1") == [
        (f"1@{DAY}",),
        (f"1@{last}",),
    ]


def test_a_day_that_is_there_is_left_and_one_written_anew_replaces_its_rows(shop: Platform) -> None:
    first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=3)
    settings, lake = here()

    def write(is_again: bool = False) -> list[int]:
        with staged_warehouse(settings) as warehouse:
            done = write_features(warehouse, settings, lake, first, is_again=is_again)
            warehouse.publish(built=())
        return [len(each.written) for each in done]

    assert write() == [3, 3]
    assert write() == [0, 0]
    # A customer is gone from what can be reconstructed: her rows leave the warehouse, too.
    lake.table("versions.customers").delete("customer_id = 2")
    assert write(is_again=True) == [3, 3]
    assert query(shop, "select distinct customer_id from features.customer_features") == [(1,)]


def test_before_the_first_run_it_says_what_to_do(platform: Platform) -> None:
    done = command("flows.features")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error: no run has read an order yet; run `python -m flows.daily YYYY-MM-DD` first" in done.stderr


def test_a_model_without_features_says_what_to_do(platform: Platform) -> None:
    done = command("tasks.repeat_purchase")
    assert (done.returncode, done.stdout) == (1, "")
    assert "python -m flows.features --first" in done.stderr
