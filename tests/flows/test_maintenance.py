"""Maintenance: fewer files, the same rows, and nothing is new to anybody because of it."""

import duckdb
import pytest
from deltalake import DeltaTable

from flows.daily import daily_ecommerce_pipeline
from flows.maintenance import maintenance
from tests.support.platforms import Platform
from tests.support.rows import DAY, NEXT_DAY, at, click, customer, order, product, put, write_clicks

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.slow]


def open_shop(platform: Platform) -> None:
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 21)))
    write_clicks(platform.clickstream, DAY, [click("e1")])


def contents(platform: Platform) -> dict[str, list[tuple]]:
    """Every row of every lake table but the ledger."""
    lake = platform.lake
    return {
        name: sorted(map(repr, lake.table(name).to_pyarrow_table().to_pylist()))
        for name in lake.tables()
        if not name.startswith("ops.")
    }


def loads(platform: Platform) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(
            "select status, rows_in, rows_out from ops.pipeline_runs where flow like 'daily%' order by started_at"
        ).fetchall()


def test_a_run_after_maintenance_takes_in_what_is_new_and_no_more(platform: Platform) -> None:
    open_shop(platform)
    daily_ecommerce_pipeline(DAY)
    put(platform, "orders", order(21, order_date=NEXT_DAY), order(1, updated_at=at(NEXT_DAY, 1)))
    daily_ecommerce_pipeline(NEXT_DAY)
    before = contents(platform)
    orders = DeltaTable(platform.lake.uri("bronze.orders"))
    assert len(orders.file_uris()) == 2

    maintenance(NEXT_DAY)

    assert contents(platform) == before
    for name in ("bronze.orders", "silver.orders", "bronze.clickstream"):
        assert len(platform.lake.table(name).file_uris()) == 1, name
    put(platform, "orders", order(22, order_date=NEXT_DAY, updated_at=at(NEXT_DAY, 13)))
    daily_ecommerce_pipeline(NEXT_DAY)
    # 22 rows and 1 line; then 2; after the maintenance the one new order, and nothing of what was rewritten.
    assert loads(platform) == [
        ("completed", 23, 23),
        ("completed", 2, 2),
        ("completed", 1, 1),
    ]
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        assert connection.execute(
            "select status, ds from ops.pipeline_runs where flow = 'maintenance'"
        ).fetchall() == [("completed", NEXT_DAY)]


def test_an_empty_lake_needs_none(platform: Platform) -> None:
    maintenance(DAY)
    assert [name for name in platform.lake.tables() if not name.startswith("ops.")] == []
