"""Is what a contender wrote right? A fast wrong answer is no benchmark.

Expected numbers come from the source tables and from the generator's arithmetic, not from any contender.
"""

import datetime as dt
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
from deltalake import DeltaTable

from benchmarks.data import DataSet

_VALID_ORDERS = """
select count(*), sum(amount), sum(amount) filter (where order_date = %(day)s)
from orders
where amount > 0 and amount <= 1000000 and quantity between 1 and 100 and order_date <= %(day)s
    and status in ('pending', 'processing', 'shipped', 'delivered', 'cancelled')
"""


@dataclass(frozen=True)
class Layout:
    """A contender's tables below its lake folder, and the days that its daily sales cover.

    A table is a Delta table, a folder or file of Parquet, or `FILE#TABLE` in a DuckDB file.
    """

    orders: str
    clicks: str
    sales: str
    # The lesson sums only orders dated the day itself; late-dated ones never reach its daily sales.
    sales_of_the_day_only: bool = False
    order_amount: str = "amount"


@dataclass(frozen=True)
class Answer:
    """The sums of silver and of the daily sales."""

    orders: int
    revenue: Decimal
    clicks: int
    sales: Decimal


def differences(
    data: DataSet, lake: Path, layout: Layout, days: int = 1, clicks: int | None = None
) -> list[str]:
    """The lake's errors after `days` days, one line a figure; empty if it is right.

    `clicks` are the valid ones of all days; None: every day had as many.
    """
    clicks = days * data.clicks.valid if clicks is None else clicks
    expected, found = (
        asdict(answer) for answer in (_expected(data, layout, days, clicks), _found(data, lake, layout))
    )
    return [
        f"{name}: {found[name]}, expected {expected[name]}"
        for name in expected
        if found[name] != expected[name]
    ]


def _expected(data: DataSet, layout: Layout, days: int, clicks: int) -> Answer:
    last_day = data.day + dt.timedelta(days=days - 1)
    with psycopg2.connect(data.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(_VALID_ORDERS, {"day": last_day})
        [(orders, revenue, revenue_of_the_day)] = cursor.fetchall()
    sales = revenue_of_the_day if layout.sales_of_the_day_only else revenue
    return Answer(orders, revenue, clicks, sales)


def _found(data: DataSet, lake: Path, layout: Layout) -> Answer:
    def ask(what: str, table: str) -> tuple[Any, ...]:
        file, _, name = table.format(day=data.day).partition("#")
        with duckdb.connect(lake / file if name else ":memory:", read_only=bool(name)) as connection:
            rows = connection.table(name) if name else connection.read_parquet(_files(lake / file))
            return rows.aggregate(what).fetchall()[0]

    orders, revenue = ask(f"count(*), sum({layout.order_amount})", layout.orders)
    (clicks,) = ask("count(*)", layout.clicks)
    (sales,) = ask("sum(total_revenue)", layout.sales)
    return Answer(orders, revenue, clicks, sales)


def _files(table: Path) -> list[str]:
    """The live Parquet files of a Delta table, a Parquet folder or a single Parquet file."""
    if (table / "_delta_log").is_dir():
        return DeltaTable(table.as_uri()).file_uris()
    return [str(table)] if table.is_file() else [str(file) for file in table.rglob("*.parquet")]
