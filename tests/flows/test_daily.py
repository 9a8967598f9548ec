"""The daily run on a hand-made shop, in a real Prefect: what readers of the warehouse see, run after run.

The expected sums come from PostgreSQL, where the rows that break a rule are found in SQL of its own.
"""

import datetime as dt
from decimal import Decimal

import duckdb
import pytest
from prefect.artifacts import Artifact

from blocks.settings.failures import DataFailure, PermanentFailure
from flows.daily import daily_ecommerce_pipeline
from lake.catalog import catalog
from tests.support.contracts import changed_columns, valid_values
from tests.support.platforms import Platform
from tests.support.rows import DAY, NEXT_DAY, at, order, put
from tests.support.small_shop import fails, live_next_day, open_shop

pytestmark = pytest.mark.usefixtures("prefect_server")

STALE_DAY = NEXT_DAY + dt.timedelta(days=2)
PUBLISHED = ("silver", "quarantine", "gold")


def shop_sums(platform: Platform) -> dict[dt.date, Decimal]:
    """The source's own sums by order_date, of the orders that break no rule."""
    return dict(
        platform.execute(
            "select order_date, sum(amount) from orders where amount > 0 and amount <= 1000000 "
            "and quantity between 1 and 100 group by order_date"
        )
    )


def query(platform: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


def sums(platform: Platform, table: str, amount: str) -> dict[dt.date, Decimal]:
    return dict(query(platform, f"select order_date, sum({amount}) from gold.{table} group by order_date"))


def lake_sums(platform: Platform, table: str, amount: str) -> dict[dt.date, Decimal]:
    rows = platform.lake.table(f"gold.{table}").to_pyarrow_table()
    grouped = rows.group_by("order_date").aggregate([(amount, "sum")])
    return dict(zip(grouped["order_date"].to_pylist(), grouped[f"{amount}_sum"].to_pylist(), strict=True))


def assert_gold_is_the_source(platform: Platform) -> None:
    expected = shop_sums(platform)
    assert expected
    assert sums(platform, "fct_orders", "order_amount") == expected
    assert sums(platform, "agg_daily_sales", "total_revenue") == expected
    assert lake_sums(platform, "daily_sales", "total_revenue") == expected
    assert lake_sums(platform, "daily_segment_sales", "total_revenue") == expected


def contents(platform: Platform) -> dict[str, list[tuple]]:
    """Every row of every published table."""
    tables = query(
        platform,
        "select table_schema || '.' || table_name from information_schema.tables "
        f"where table_schema in {PUBLISHED}",
    )
    return {name: sorted(query(platform, f"select * from {name}"), key=repr) for (name,) in tables}


def versions(platform: Platform, *layers: str) -> dict[str, int]:
    """The Delta version of every lake table in these layers."""
    names = [
        f"{layer}.{path.name}" for layer in layers for path in (platform.folder / "lake" / layer).iterdir()
    ]
    return {name: platform.lake.table(name).version() for name in names}


def last_runs(platform: Platform) -> list[tuple]:
    return query(
        platform,
        "select ds, status, failed_step, rows_in, rows_quarantined from ops.pipeline_runs "
        "order by started_at",
    )


def gold_gates(platform: Platform) -> list[set[str]]:
    """The names of the suites that the gold gate of each run has run, oldest run first."""
    return [
        set(names)
        for (names,) in query(
            platform,
            "select list(distinct table_name) from ops.quality_results join ops.pipeline_runs using (run_id) "
            "where layer = 'gold' group by run_id, started_at order by started_at",
        )
    ]


@pytest.mark.slow
def test_two_days_then_the_same_day_again_then_an_empty_day(platform: Platform) -> None:
    open_shop(platform)
    daily_ecommerce_pipeline(DAY)

    assert_gold_is_the_source(platform)
    assert sum(shop_sums(platform).values()) == Decimal("243.00")
    assert query(platform, "select count(*), count(distinct region) from gold.fct_orders") == [(24, 3)]
    assert sorted(query(platform, "select source, key, reason from quarantine.open_rows"), key=str) == [
        ("clickstream", None, "line_is_event"),
        ("orders", "25", "amount_in_range"),
    ]
    artifact = Artifact.get("daily-ecommerce-pipeline").data
    assert f"daily-ecommerce-pipeline {DAY}: completed" in artifact
    assert "| orders | 25 | 24 | 0 | 1 | 24 |" in artifact
    assert "| clickstream | 41 | 40 | 0 | 1 | 40 |" in artifact
    assert "| orders | amount_in_range | 1 |" in artifact
    assert "| clickstream | line_is_event | 1 |" in artifact
    report = platform.folder / "reports" / f"{DAY}.html"
    assert f"[report]({report.as_uri()})" in artifact
    revenue = shop_sums(platform)[DAY]
    assert f'id="revenue"><data value="{revenue}">' in report.read_text(encoding="utf-8")

    live_next_day(platform)
    daily_ecommerce_pipeline(NEXT_DAY)

    assert_gold_is_the_source(platform)
    assert query(platform, "select order_amount, status from gold.fct_orders where order_id = 1") == [
        (Decimal("3.33"), "cancelled")
    ]
    assert query(platform, "select distinct region from gold.fct_orders order by 1") == [
        ("region 1",),
        ("region 3",),
        ("unknown",),
    ]
    assert "| orders | 4 | 4 | 0 | 0 | 4 |" in Artifact.get("daily-ecommerce-pipeline").data
    assert query(
        platform, "select order_date, total_profit from gold.agg_daily_sales where category = 'garden'"
    ) == [(NEXT_DAY, Decimal("95.99"))]

    before = contents(platform), versions(platform, "bronze", "silver", "gold", "quarantine")
    daily_ecommerce_pipeline(NEXT_DAY)
    assert (contents(platform), versions(platform, "bronze", "silver", "gold", "quarantine")) == before
    # The second run compared the totals, and validated no mart again.
    assert gold_gates(platform) == [
        {"agg_daily_sales", "customer_segments", "dim_customers", "fct_orders", "order_totals"},
        {"agg_daily_sales", "customer_segments", "dim_customers", "fct_orders", "order_totals"},
        {"order_totals"},
    ]

    daily_ecommerce_pipeline(STALE_DAY)
    assert contents(platform) == before[0]
    artifact = Artifact.get("daily-ecommerce-pipeline").data
    assert f"clickstream has no folder for {STALE_DAY}" in artifact
    assert "no order for days" in artifact
    assert query(
        platform,
        "select ds, table_name from ops.quality_results where layer = 'dbt' and not is_success",
    ) == [(STALE_DAY, "fct_orders")]
    # 3 customers, 2 products, 25 orders and 41 lines; then 4 orders, a customer, a product and a line.
    assert last_runs(platform) == [
        (DAY, "completed", None, 71, 2),
        (NEXT_DAY, "completed", None, 7, 0),
        (NEXT_DAY, "completed", None, 0, 0),
        (STALE_DAY, "completed", None, 0, 0),
    ]


@pytest.mark.slow
def test_a_failed_gate_publishes_nothing_and_the_next_run_makes_up_for_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(platform)
    daily_ecommerce_pipeline(DAY)
    live = contents(platform)

    # The bronze gate: half of the new orders have no quantity.
    put(platform, "orders", order(30, order_date=NEXT_DAY), order(31, order_date=NEXT_DAY, quantity=0))
    failure = fails(NEXT_DAY)
    assert isinstance(failure, DataFailure)
    assert "orders: reject_reason to be null (mostly=0.95): 1 of 2 rows, e.g. 31" in str(failure)
    assert str(failure).endswith("Rejected by reason: orders quantity_in_range: 1")
    assert contents(platform) == live
    assert last_runs(platform)[-1][:3] == (NEXT_DAY, "failed", "quality-bronze")
    assert "Failed in quality-bronze" in Artifact.get("daily-ecommerce-pipeline").data

    # A dbt test: the row rules have learnt of a status, dbt has not.
    put(platform, "orders", order(31, order_date=NEXT_DAY, quantity=2, updated_at=at(NEXT_DAY, 13)))
    put(platform, "orders", *(order(100 + number, order_date=NEXT_DAY) for number in range(30)))
    put(platform, "orders", order(2, status="refunded", updated_at=at(NEXT_DAY, 13)))
    statuses = valid_values(*catalog()["orders"].column("status").valid_values, "refunded")
    with changed_columns("orders", "status", quality=statuses):
        failure = fails(NEXT_DAY)
    assert isinstance(failure, DataFailure)
    assert "dbt tests failed" in str(failure)
    assert "accepted_values_stg_orders_status" in str(failure)
    assert contents(platform) == live
    assert last_runs(platform)[-1][:3] == (NEXT_DAY, "failed", "dbt-build")

    # Corrected at the source: one more run, and gold is the source again.
    put(platform, "orders", order(2, updated_at=at(NEXT_DAY, 14)))
    daily_ecommerce_pipeline(NEXT_DAY)
    assert_gold_is_the_source(platform)
    assert query(platform, "select key from quarantine.open_rows where source = 'orders'") == [("25",)]


def test_a_day_that_has_not_begun_is_refused(platform: Platform) -> None:
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    with pytest.raises(PermanentFailure, match=f"ds {tomorrow} lies in the future"):
        daily_ecommerce_pipeline(tomorrow)
    assert not (platform.folder / "lake").exists()
    assert not platform.warehouse.exists()
