"""The daily run with the warehouse on Snowflake and BigQuery, as far as emulators go: the marts are DuckDB's.

dbt builds its whole project twice, from nothing and then by increments, on both sides from the same lake.
"""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from blocks.settings.failures import DataFailure
from blocks.settings.settings import Settings
from flows.daily import daily_ecommerce_pipeline
from flows.subflows.dbt_build import dbt_build
from lake.catalog import catalog
from tasks.bi.files import build_files
from tasks.bi.hyper import query_extract
from tasks.inventory.silver import ensure_tables
from tasks.warehouse.access import live_warehouse, staged_warehouse
from tasks.warehouse.interface import Warehouse
from tests.support.dialects import faults
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY, at, order, put
from tests.support.small_shop import fails, live_next_day, open_shop

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200), pytest.mark.usefixtures("prefect_server")]

BUILT = ("snapshots.snap_customers", "snapshots.snap_products", "intermediate.int_daily_sessions")
# The hash of a version, over texts that each warehouse writes in its own way.
NOT_COMPARED = {"dbt_scd_id"}


def same_in_duckdb(monkeypatch: pytest.MonkeyPatch, day: dt.date) -> None:
    """Bring a DuckDB warehouse up to the lake as it is now, and leave what dbt has run on the cloud."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("WAREHOUSE", "duckdb")
        elsewhere.setenv("DBT_TARGET_PATH", str(Settings().dbt_target_path.with_name("duckdb_target")))
        with staged_warehouse(Settings()) as warehouse:
            dbt_build(day, "same-in-duckdb", warehouse, *here())
            warehouse.publish()


def contents(warehouse: Warehouse, *names: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of the tables, in one order, as Python values that compare across warehouses."""
    with warehouse.session() as session:
        tables = {name: session.rows(f"select * from {name}").read_all().to_pylist() for name in names}
    return {
        name: sorted(
            ({key: _plain(value) for key, value in row.items() if key not in NOT_COMPARED} for row in rows),
            key=repr,
        )
        for name, rows in tables.items()
    }


def _plain(value: Any) -> Any:
    """Times in UTC without a zone; numbers without the places that a type pads them with."""
    if isinstance(value, dt.datetime):
        return dt.datetime.fromisoformat(value.isoformat()).replace(tzinfo=None)
    if isinstance(value, Decimal | int) and not isinstance(value, bool):
        return str(Decimal(value).quantize(Decimal("0.01")))
    return value


def move(platform: Platform, day: dt.date, *levels: int) -> None:
    """Stock events of product 1 in silver, of one moment, as the inventory flow leaves them."""
    rows = [
        {
            "event_id": f"{day}-{offset}",
            "product_id": 1,
            "warehouse_id": "north",
            "quantity_change": -1,
            "on_hand": level,
            "event_at": at(day),
            "event_date": day,
            "sent_at": at(day),
            "topic": "inventory",
            "partition": 0,
            "offset": offset,
        }
        for offset, level in enumerate(levels, start=9)
    ]
    table, _ = ensure_tables(platform.lake)
    write_deltalake(table, pa.Table.from_pylist(rows, schema=catalog()["inventory"].schema), mode="append")


def marts() -> list[str]:
    return [f"gold.{path.stem}" for path in Path("dbt/models/marts").glob("*.sql")]


def swept(cloud: str) -> int:
    """How many files of what dbt has just run are this dialect's, which must be all."""
    run = Settings().dbt_target_path / "run"
    files = [path for path in run.rglob("*.sql") if "unit_tests" not in path.parts]
    found = {path.name: faults(path.read_text(), cloud) for path in files}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    return len(files)


def bi_files() -> tuple[dict[str, str], dict[str, list[tuple]]]:
    """The text of Looker's and Tableau's files as they come from the warehouse, and the rows of the extracts."""
    looker, tableau = build_files(Settings(), ("looker", "tableau"))
    texts = [*looker.rglob("*.lkml"), *tableau.glob("*.tds")]
    extracts = {
        path.stem: query_extract(path, 'select * from "Extract"."Extract"')
        for path in tableau.rglob("*.hyper")
    }
    rows = {
        name: sorted([tuple(map(_plain, row)) for row in rows], key=repr) for name, rows in extracts.items()
    }
    assert len(texts) == 17
    assert all(rows.values())
    return {path.name: path.read_text(encoding="utf-8") for path in texts}, rows


def last_run() -> tuple:
    with live_warehouse(Settings()) as warehouse, warehouse.session() as session:
        runs = session.rows(
            "select status, failed_step, started_at from ops.pipeline_runs order by started_at"
        )
        last = runs.read_all().to_pylist()[-1]
    return last["status"], last["failed_step"]


def test_two_days_then_a_gate_that_fails(
    platform: Platform, cloud: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(platform)
    move(platform, DAY, 9, 8, 6)
    daily_ecommerce_pipeline(DAY)
    assert swept(cloud) > 60
    same_in_duckdb(monkeypatch, DAY)
    live_next_day(platform)
    move(platform, NEXT_DAY, 5)
    daily_ecommerce_pipeline(NEXT_DAY)
    assert swept(cloud) > 60
    same_in_duckdb(monkeypatch, NEXT_DAY)

    names = marts()
    assert len(names) >= 6
    with live_warehouse(Settings()) as warehouse:
        assert type(warehouse).__name__.lower().startswith(cloud)
        live = contents(warehouse, *names)
        kept = contents(warehouse, *BUILT, "quarantine.open_rows")
    files = bi_files()
    monkeypatch.setenv("WAREHOUSE", "duckdb")
    assert files == bi_files()
    with live_warehouse(Settings()) as warehouse:
        assert live == contents(warehouse, *names)
        assert kept == contents(warehouse, *BUILT, "quarantine.open_rows")
    monkeypatch.setenv("WAREHOUSE", cloud)
    assert all(live.values())
    assert last_run() == ("completed", None)
    # It asks the warehouse.
    assert (platform.folder / "reports" / f"{NEXT_DAY}.html").exists()

    # An amount changed without a trace: the source has more than gold, which has a new order by then.
    put(platform, "orders", order(40, order_date=NEXT_DAY))
    platform.execute("update orders set amount = amount + 1 where order_id = 2")
    failure = fails(NEXT_DAY)
    assert isinstance(failure, DataFailure)
    assert "gold has lost, doubled or missed orders of these dates" in str(failure)
    assert last_run() == ("failed", "quality-gold")
    with live_warehouse(Settings()) as warehouse:
        assert contents(warehouse, *names) == live
    with live_warehouse(Settings()) as warehouse, warehouse.session() as session:
        [staged] = session.rows("select count(*) as n from gold_staged.fct_orders").read_all().to_pylist()
    assert staged["n"] == len(live["gold.fct_orders"]) + 1
    assert Settings().warehouse == cloud
