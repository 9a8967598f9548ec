"""Marts of a hand-made shop, as the report reads them: small enough to add up by hand."""

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb

from lake.row_counts import RowCounts
from tasks.ledger.records import append_records
from tasks.ledger.run import Run
from tasks.report.queries import Query
from tests.support.platforms import lake_here
from tests.support.rows import DAY

HOSTILE = """<script>alert("1")</script> & 'Crème' <b>x"""

TABLES = """
create schema gold;
create schema quarantine;
create table gold.fct_orders (
    order_id bigint, order_number varchar, order_date date, customer_id bigint,
    order_amount decimal(12, 2), cost_amount decimal(12, 2), profit_amount decimal(12, 2)
);
create table gold.agg_daily_sales (
    order_date date, category varchar, region varchar, customer_segment varchar, total_revenue decimal(38, 2)
);
create table gold.agg_daily_funnel (
    event_date date, total_sessions bigint, product_view_sessions bigint, add_to_cart_sessions bigint,
    checkout_sessions bigint, purchase_sessions bigint
);
create table gold.customer_segments (
    customer_id bigint, rfm_segment varchar, monetary decimal(12, 2), recency_days bigint
);
create table gold.inventory_status (
    product_id bigint, product_name varchar, category varchar, on_hand bigint, units_per_day double,
    days_of_cover double, reorder_point double, state varchar, newest_event_at timestamp
);
create table quarantine.open_rows (
    source varchar, ds date, reason varchar, key varchar, occurred_at timestamp, raw varchar
);
"""


def days_ago(days: int) -> dt.date:
    """A day before DAY."""
    return DAY - dt.timedelta(days=days)


def marts(path: Path | None = None, **rows: list[tuple[Any, ...]]) -> Query:
    """A warehouse, in memory or at `path`, with these rows in its marts; returns the function that queries it."""
    warehouse = duckdb.connect(path or ":memory:")
    warehouse.execute(f"begin; {TABLES}")
    for name, values in rows.items():
        schema = "quarantine" if name == "open_rows" else "gold"
        places = ", ".join("?" * len(values[0]))
        warehouse.executemany(f"insert into {schema}.{name} values ({places})", values)
    warehouse.execute("commit")
    if path:
        warehouse.close()

    def query(sql: str) -> list[dict[str, Any]]:
        found = warehouse.execute(sql)
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]

    return query


def shop(path: Path | None = None) -> Query:
    """Ten days of sales ending with DAY, clicks, segments, stock, and names as hostile as they come.

    The day: 3 orders of 2 customers, 60.00 + 40.00 + 20.50, the first of two rows; the cost of the last is
    not known.
    """
    orders = [
        (1, "A", DAY, 1, "50.00", "32.00", "18.00"),
        (4, "A", DAY, 1, "10.00", "8.00", "2.00"),
        (2, "2", DAY, 1, "40.00", "35.00", "5.00"),
        (3, "3", DAY, 2, "20.50", None, None),
        *(
            (100 + days, f"{100 + days}", days_ago(days), 1, "70.00", "35.00", "35.00")
            for days in range(1, 10)
        ),
    ]
    sales = [
        (DAY, HOSTILE, "north", "gold", "100.00"),
        (DAY, "home", "Ñandú 東京", "gold", "20.50"),
        *((days_ago(days), "home", "north", "gold", "70.00") for days in range(1, 10)),
    ]
    return marts(
        path,
        fct_orders=orders,
        agg_daily_sales=sales,
        agg_daily_funnel=[(DAY, 200, 150, 80, 40, 30), (days_ago(1), 100, 90, 50, 20, 10)],
        customer_segments=[(1, "champion", "730.00", 0), (2, "at_risk", "20.50", 3)],
        inventory_status=[
            (1, HOSTILE, "home", 0, 1.5, 0.0, 12.0, "out", "2024-03-04 23:05"),
            (2, "mug", "home", 4, 2.0, 2.0, 16.0, "low", "2024-03-04 22:00"),
            (3, "lamp", "home", 90, 1.0, 90.0, 8.0, "ok", "2024-03-04 21:00"),
        ],
        open_rows=[
            ("orders", DAY, "amount_in_range", "25", "2024-03-04", "{}"),
            ("orders", days_ago(1), "amount_in_range", HOSTILE, "2024-03-03", "{}"),
            ("clickstream", DAY, "line_is_event", None, None, HOSTILE),
        ],
    )


def quality_result(day: dt.date, rows: int, rejected: int, **values: Any) -> dict[str, Any]:
    """What a run's row rules said of the orders of a day."""
    return {
        "run_id": f"run of {day}",
        "ds": day,
        "layer": "bronze",
        "table_name": "orders",
        "expectation": "reject_reason to be null (mostly=0.95)",
        "severity": "critical",
        "is_success": True,
        "rows_checked": rows,
        "rows_unexpected": rejected,
    } | values


def record_quality_days() -> None:
    """Record the quality of DAY, 97.5 %, and of the day before, 100 % with a warning."""
    append_records(
        lake_here(), "quality_results", [quality_result(days_ago(1), 50, 0), quality_result(DAY, 200, 5)]
    )
    warning = quality_result(days_ago(1), 50, 1, expectation="e", severity="warning", is_success=False)
    append_records(lake_here(), "quality_results", [warning])


def finished(**values: Any) -> Run:
    """A run of DAY that has come to its report."""
    given = {
        "run_id": "run-1",
        "flow": "daily-ecommerce-pipeline",
        "ds": DAY,
        "started_at": dt.datetime(2024, 3, 5, 6, tzinfo=dt.UTC),
        "seconds": {"extract": 1.25, "transform": 2.0},
        "tables": [
            RowCounts(table="orders", rows_in=4, rows_out=3, duplicates=0, rejected={"amount_in_range": 1})
        ],
    }
    return Run(**given | values)
