"""The rebuild: a row rule changes, and it is applied to all of bronze."""

from decimal import Decimal

import duckdb
import pytest

from blocks.settings.failures import DataFailure
from flows.daily import daily_ecommerce_pipeline
from flows.rebuild import rebuild
from tests.support.contracts import changed_columns
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
