"""The rebuild: a row rule changes, and all of bronze is judged by it again."""

from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hand_made import DAY, click, customer, order, product, put, write_clicks

from expectations import gold_fct_orders
from flows.daily import daily_ecommerce_pipeline
from flows.rebuild import rebuild
from spark_jobs import silver_orders


def query(platform: Any, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


@pytest.mark.usefixtures("prefect_server")
def test_a_relaxed_rule_frees_rows_from_quarantine_and_the_gates_agree(
    platform: Any, monkeypatch: pytest.MonkeyPatch
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

    for module in (silver_orders, gold_fct_orders):
        monkeypatch.setattr(module, "MAX_QUANTITY", 500)
    rebuild(DAY)

    assert query(platform, "select key from quarantine.orders") == [("41",)]
    assert query(platform, "select key from quarantine.open_rows") == [("41",)]
    assert query(platform, "select count(*), sum(order_amount) from gold.fct_orders") == [
        (40, Decimal("440.00"))
    ]
    assert query(platform, "select flow, status from ops.pipeline_runs order by started_at") == [
        ("daily-ecommerce-pipeline", "completed"),
        ("rebuild", "completed"),
    ]
