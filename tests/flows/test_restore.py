"""The restore drill: everything of each kind is deleted, and comes back, from each source; and what may go wrong.

`pytest tests/flows/test_restore.py -s -k drill` prints how long each way back takes, and the rows.
"""

import datetime as dt
import shutil
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pytest
from deltalake import write_deltalake

from flows.daily import daily_ecommerce_pipeline
from flows.maintenance import maintenance
from flows.restore import restore
from lake.catalog import catalog
from lake.present_rows import present_rows
from tasks.restore.request import Restoration, Source
from tests.properties.compare import arrow_rows, assert_same, lake_rows, warehouse_rows
from tests.properties.crash import Crashed, Seam, crashing
from tests.support.platforms import Platform
from tests.support.rows import DAY, NEXT_DAY, at, click, customer, order, product, put, write_clicks

pytestmark = pytest.mark.usefixtures("prefect_server")

TABLES = ["orders", "customers", "products", "clickstream"]
OF_A_RUN = ("load_id", "read_at")
# Which versions of a customer or product there were is only in the warehouse and its copy.
HISTORY = ("snap_", "dim_")


def open_shop(platform: Platform) -> None:
    put(platform, "customers", customer(1), customer(2))
    put(platform, "products", product(1), product(2))
    put(platform, "orders", *(order(number) for number in range(1, 31)))
    put(platform, "orders", order(31, amount=Decimal(0)))
    write_clicks(platform.clickstream, DAY, [*(click(f"e{number}") for number in range(9)), "broken"])


def go_on(platform: Platform) -> None:
    put(
        platform,
        "orders",
        order(32, order_date=NEXT_DAY),
        order(1, status="shipped", updated_at=at(NEXT_DAY)),
    )
    put(platform, "customers", customer(1, region="south", updated_at=at(NEXT_DAY)))
    platform.execute("delete from orders where order_id = 2")
    write_clicks(platform.clickstream, NEXT_DAY, [click("n1", timestamp=at(NEXT_DAY).isoformat())])


def contents(platform: Platform) -> dict[str, list[tuple]]:
    """Every row that people read: silver, quarantine and gold of the lake, and the marts."""
    names = [*(f"quarantine.{table}" for table in TABLES), "gold.daily_sales", "gold.daily_segment_sales"]
    found = {name: lake_rows(platform.lake, name, without=OF_A_RUN) for name in names}
    found |= {
        f"silver.{table}": arrow_rows(
            present_rows(platform.lake, catalog()[table]).to_table(), "*", (*OF_A_RUN, "deleted_at")
        )
        for table in TABLES
    }
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        marts = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables"
            " where table_schema in ('silver', 'quarantine', 'gold')"
        ).fetchall()
        return found | {
            f"mart {name}": warehouse_rows(connection, f"from {name}", OF_A_RUN)
            for (name,) in marts
            if not name.split(".")[1].startswith(HISTORY)
        }


def last_run(platform: Platform) -> tuple:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        [row] = connection.execute(
            "select flow, status, rows_in, rows_out from ops.pipeline_runs order by started_at desc limit 1"
        ).fetchall()
    return row


def lose(*names: str) -> Callable[[Platform], None]:
    """Delete folders or files below the platform's folder."""

    def losing(platform: Platform) -> None:
        for name in names:
            path = platform.folder / name
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return losing


def spoil(platform: Platform) -> None:
    """Every order twice as dear, as a script that went wrong might leave them."""
    bronze = platform.lake.table("bronze.orders")
    rows = bronze.to_pyarrow_table()
    twice = pc.multiply(rows["amount"], 2).cast(rows["amount"].type)
    write_deltalake(
        bronze, rows.set_column(rows.schema.get_field_index("amount"), "amount", twice), mode="overwrite"
    )


WAYS: list[tuple[str, Callable[[Platform], None], str, Source]] = [
    ("a table of bronze", lose("lake/bronze/orders"), "bronze.orders", "copy"),
    ("a table of bronze", lose("lake/bronze/orders"), "bronze.orders", "source"),
    ("rows overwritten in bronze", spoil, "bronze.orders", "history"),
    ("a table of silver", lose("lake/silver/orders"), "silver.orders", "bronze"),
    ("rows of silver, all", lambda platform: empty(platform, "silver.orders"), "silver.orders", "history"),
    ("silver, quarantine, gold", lose("lake/silver", "lake/quarantine", "lake/gold"), "lake", "bronze"),
    ("the lake", lose("lake"), "lake", "source"),
    (
        "bronze, by an error",
        lambda platform: empty(platform, "bronze.orders", "bronze.customers"),
        "lake",
        "history",
    ),
    ("the warehouse", lose("warehouse.duckdb"), "warehouse", "copy"),
    ("the warehouse", lose("warehouse.duckdb"), "warehouse", "lake"),
    ("lake and warehouse", lose("lake", "warehouse.duckdb"), "lake", "copy"),
]


def empty(platform: Platform, *names: str) -> None:
    for name in names:
        platform.lake.table(name).delete()


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_the_drill_brings_everything_back_from_each_source(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARANTINE_THRESHOLD", "0.5")
    monkeypatch.setenv("BACKUP_URI", (tmp_path / "backup").as_uri())
    open_shop(platform)
    daily_ecommerce_pipeline(DAY)
    maintenance(DAY)
    # The copy is a day old.
    go_on(platform)
    daily_ecommerce_pipeline(NEXT_DAY)
    before = contents(platform)
    assert len(before["silver.orders"]) == 30
    for lost, loses, what, source in WAYS:
        moment = dt.datetime.now(dt.UTC)
        loses(platform)
        begun = time.monotonic()
        restore(
            Restoration.of(what, source, at=moment if source == "history" else None),
            why="a drill",
            person="drill",
            dry_run=False,
        )
        seconds = time.monotonic() - begun
        after = contents(platform)
        print(f"{lost:28} {what:20} from {source:8} {sum(map(len, after.values())):5} rows {seconds:6.1f} s")  # noqa: T201
        assert after.keys() == before.keys()
        for name, rows in before.items():
            assert_same(f"{name}, {what} from {source}", after[name], rows)
        # A lost ledger has lost its runs; that of the copy knows those before it.
        assert last_run(platform)[:2] == ("restore", "completed")

    # One that is stopped before its rebuild is called again.
    lose("lake/bronze/orders", "lake/silver/orders")(platform)
    again = Restoration.of("bronze.orders", "source")
    with crashing([Seam("flows.restore", "rebuild_tables")], lambda place: True), pytest.raises(Crashed):
        restore(again, why="a drill", person="drill", dry_run=False)
    restore(again, why="a drill", person="drill", dry_run=False)
    for name, rows in contents(platform).items():
        assert_same(f"{name}, stopped", rows, before[name])

    # The next run brings what is new, and nothing twice.
    put(platform, "orders", order(33, order_date=NEXT_DAY, updated_at=at(NEXT_DAY, 13)))
    daily_ecommerce_pipeline(NEXT_DAY)
    assert last_run(platform) == ("daily-ecommerce-pipeline", "completed", 1, 1)
