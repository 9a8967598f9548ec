"""What stops a run, and the command in its message with which a person goes on; and a delete, which stops nothing."""

import datetime as dt
from decimal import Decimal

import duckdb
import pytest
from prefect.artifacts import Artifact

from flows.daily import daily_ecommerce_pipeline
from tasks.ingest.decisions import Decisions
from tests.support.platforms import Platform
from tests.support.rows import DAY, NEXT_DAY, at, order, put
from tests.support.small_shop import fails, open_shop

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.slow]

REASON = "agreed with the shop"
LATER = NEXT_DAY + dt.timedelta(days=1)


def query(platform: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


def go_on(day: dt.date, **decisions: list[str]) -> str:
    """Run the day with these decisions; returns the message about it."""
    daily_ecommerce_pipeline(day, Decisions(**decisions, reason=REASON, person="ada"))
    return str(Artifact.get("daily-ecommerce-pipeline").data)


def totals(platform: Platform) -> tuple[int, Decimal]:
    """Number and sum of the orders in the mart."""
    [found] = query(platform, "select count(*), sum(order_amount) from gold.fct_orders")
    return found


def source_totals(platform: Platform) -> tuple[int, Decimal]:
    [found] = platform.execute("select count(*), sum(amount) from orders where amount > 0")
    return found


def test_each_stop_names_the_command_that_goes_on(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(platform)
    daily_ecommerce_pipeline(DAY)

    # A single delete stops nothing.
    platform.execute("delete from orders where order_id = 1")
    platform.execute("delete from customers where customer_id = 3")
    daily_ecommerce_pipeline(NEXT_DAY)
    assert totals(platform) == source_totals(platform) == (23, Decimal("232.99"))
    assert query(platform, "select table_name, key, deletes from ops.deleted_rows order by 1") == [
        ("customers", "3", "keep"),
        ("orders", "1", "follow"),
    ]
    assert query(platform, "select customer_id from gold.dim_customers where deleted_at is not null") == [
        (3,)
    ]
    message = Artifact.get("daily-ecommerce-pipeline").data
    assert "Deleted in the shop: 1 customers, 1 orders." in message

    # An edit that no cursor tells of.
    platform.execute("update orders set amount = 77 where order_id = 2")
    assert f"--reread orders:order_date={DAY - dt.timedelta(days=2)}" in str(fails(NEXT_DAY))
    go_on(NEXT_DAY, reread=[f"orders:order_date={DAY - dt.timedelta(days=2)}"])
    assert totals(platform) == source_totals(platform)

    # A mass delete.
    monkeypatch.setenv("MASS_DELETE_ROWS", "5")
    platform.execute("delete from orders where order_id between 3 and 7")
    assert "`python -m flows.daily 2024-03-05 --accept-deletes orders" in str(fails(NEXT_DAY))
    assert totals(platform)[0] == 23
    assert "Deleted in the shop: 5 orders." in go_on(NEXT_DAY, accept_deletes=["orders"])
    assert totals(platform) == source_totals(platform)

    # More rejected rows than the threshold allows.
    put(platform, "orders", *(order(key, amount=Decimal(0), updated_at=at(LATER)) for key in range(50, 53)))
    assert "--accept-failed orders --reason" in str(fails(LATER))
    assert "reject_reason" in go_on(LATER, accept_failed=["orders"])
    assert totals(platform) == source_totals(platform)

    # A row that comes back, with its old cursor.
    put(platform, "orders", order(1, amount=Decimal("11.01")))
    daily_ecommerce_pipeline(LATER)
    assert totals(platform) == source_totals(platform)
    assert query(platform, "select count(*) from ops.deleted_rows where key = '1'") == [(0,)]
    assert query(platform, "select decision, reason, person from ops.overrides order by recorded_at") == [
        (f"read orders:order_date={DAY - dt.timedelta(days=2)} again", REASON, "ada"),
        ("accept deletes of orders", REASON, "ada"),
        ("accept that orders fails", REASON, "ada"),
    ]
