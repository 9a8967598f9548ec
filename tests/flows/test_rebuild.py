"""The rebuild: a row rule changes, and it is applied to all of bronze."""

import datetime as dt
import signal
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
import yaml

from blocks.settings.failures import DataFailure, PermanentFailure
from flows.daily import daily_ecommerce_pipeline
from flows.rebuild import rebuild
from lake.catalog import CONTRACTS
from tests.properties.compare import lake_rows
from tests.properties.crash import Place
from tests.support.contracts import changed_columns
from tests.support.mortal import Mortal, mortal_process
from tests.support.platforms import Platform
from tests.support.rows import DAY, click, customer, order, product, put, write_clicks


def query(platform: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.usefixtures("prefect_server")
def test_a_mistaken_rule_stops_at_the_gate_and_a_relaxed_one_frees_rows_from_quarantine(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 40)))
    put(platform, "orders", order(40, quantity=200, amount=Decimal("50.00")), order(41, status="lost"))
    write_clicks(platform.clickstream, DAY, [click("a")])
    daily_ecommerce_pipeline(DAY)
    assert query(platform, "select key from quarantine.open_rows order by key") == [("40",), ("41",)]
    assert query(platform, "select count(*), sum(order_amount) from gold.fct_orders") == [
        (39, Decimal("390.00"))
    ]

    names = [f"{layer}.{table}" for layer in ("silver", "quarantine") for table in ("orders", "customers")]
    before = [platform.lake.table(name).version() for name in names]
    nothing = {"minimum": 90, "maximum": 100}
    with (
        changed_columns("orders", "quantity", logicalTypeOptions=nothing),
        pytest.raises(DataFailure) as failure,
    ):
        rebuild(DAY)
    assert "orders: reject_reason to be null (mostly=0.95): 41 of 41 rows" in str(failure.value)
    assert [platform.lake.table(name).version() for name in names] == before
    assert query(platform, "select count(*) from gold.fct_orders") == [(39,)]

    with changed_columns("orders", "quantity", logicalTypeOptions={"minimum": 1, "maximum": 500}):
        rebuild(DAY)

    assert query(platform, "select key from quarantine.orders") == [("41",)]
    assert query(platform, "select key from quarantine.open_rows") == [("41",)]
    assert query(platform, "select count(*), sum(order_amount) from gold.fct_orders") == [
        (40, Decimal("440.00"))
    ]
    assert query(platform, "select flow, status, failed_step from ops.pipeline_runs order by started_at") == [
        ("daily-ecommerce-pipeline", "completed", None),
        ("rebuild", "failed", "quality-bronze"),
        ("rebuild", "completed", None),
    ]
    # The score of the day is that of its own rows.
    assert query(
        platform,
        "select layer, sum(rows_checked) from ops.quality_results "
        "where table_name = 'orders' and starts_with(expectation, 'reject_reason ') group by layer order by layer",
    ) == [("bronze", 41), ("rebuild", 82)]


@pytest.fixture
def mortal(prefect_server: None) -> Iterator[Mortal]:
    with mortal_process() as process:
        yield process


def orders_of(platform: Platform) -> tuple[set, set]:
    """The keys of silver and of quarantine."""
    silver = lake_rows(platform.lake, "silver.orders", "order_id")
    return {key for (key,) in silver}, {
        int(key) for (key,) in lake_rows(platform.lake, "quarantine.orders", "key")
    }


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_kill_in_mid_rebuild_leaves_the_live_tables_and_a_second_call_ends_it(
    platform: Platform, mortal: Mortal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 40)), order(40, quantity=200))
    write_clicks(platform.clickstream, DAY, [click("a")])
    daily_ecommerce_pipeline(DAY)
    # The rule lets in the last order.
    queries = tmp_path / "queries"
    queries.mkdir()
    contract = yaml.safe_load((CONTRACTS / "orders.yaml").read_text(encoding="utf-8"))
    [quantity] = [each for each in contract["schema"][0]["properties"] if each["name"] == "quantity"]
    quantity["logicalTypeOptions"] = {"minimum": 1, "maximum": 500}
    (queries / "orders.yaml").write_text(yaml.safe_dump(contract), encoding="utf-8")
    monkeypatch.setenv("SHOP_QUERIES", str(queries))
    arguments, log = [DAY.isoformat()], tmp_path / "child.log"
    lake = platform.lake
    names = [name for name in lake.tables() if name.split(".")[0] in ("silver", "quarantine", "gold")]
    before = {name: lake.table(name).version() for name in names}
    assert len(before) == 12
    ids = set(range(1, 40))
    assert orders_of(platform) == (ids, {40})

    # Every gate has passed: it is all there, beside.
    mortal.order(
        "rebuild", arguments, Place("flows.subflows.rebuild_tables", "quality_gold", 1, "after"), log
    )
    assert mortal.exit_code() == -signal.SIGKILL, log.read_text()
    assert {name: lake.table(name).version() for name in names} == before
    assert query(platform, "select count(*) from gold.fct_orders") == [(39,)]

    # Between the tables: no row is in neither silver nor quarantine.
    mortal.order("rebuild", arguments, Place("tasks.transform.rebuilt", "_replace", 7, "after"), log)
    assert mortal.exit_code() == -signal.SIGKILL, log.read_text()
    silver, quarantine = orders_of(platform)
    assert silver | quarantine == ids | {40}
    assert query(platform, "select count(*) from gold.fct_orders") == [(39,)]

    mortal.order("rebuild", arguments, None, log)
    assert mortal.exit_code() == 0, log.read_text()
    assert orders_of(platform) == (ids | {40}, set())
    assert query(platform, "select count(*) from gold.fct_orders") == [(40,)]
    assert not (platform.folder / "lake" / "rebuilt").exists()
    # The next run has nothing to catch up with.
    loaded = query(
        platform, "select table_name, lake_version from ops.loads where starts_with(table_name, 'silver')"
    )
    versions = {name: lake.table(name).version() for name, _ in loaded if name != "silver.inventory"}
    assert {name: version for name, version in loaded if name in versions} == versions


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("first", "last", "says"),
    [
        pytest.param(DAY, None, "give both", id="half a range"),
        pytest.param(DAY, DAY, "python -m flows.rebuild", id="nothing is built yet"),
    ],
)
def test_a_range_that_cannot_be_rebuilt_says_why(
    platform: Platform, first: dt.date, last: dt.date | None, says: str
) -> None:
    with pytest.raises(PermanentFailure, match=says):
        rebuild(DAY, None, first, last)
