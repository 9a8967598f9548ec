"""Demand: pieces ordered per product and day, from silver, as far back as a forecast looks."""

import datetime as dt
from collections.abc import Iterator

import duckdb
import pandas as pd

from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from lake.present_rows import present_rows
from tasks.reorder.policy_table import KEY

HISTORY_DAYS = 365
# Their histories are in memory at a time.
PRODUCTS_AT_A_TIME = 1000
SOLD = f"""
    create temp table sold as
    select {KEY}, order_date, sum(quantity) as pieces
    from orders
    where status != 'cancelled'
    and order_date > (select max(order_date) from orders) - {HISTORY_DAYS}
    group by all
"""
# From the first sale in the period; the days without one between are demand, of nothing.
HISTORIES = f"""
    with wanted as (
        select {KEY}, min(order_date) as first_date
        from sold group by {KEY} order by {KEY} limit {PRODUCTS_AT_A_TIME} offset ?
    ),
    days as (
        select {KEY}, unnest(generate_series(first_date, ?::date, interval 1 day)) as ds from wanted
    )
    select
        days.{KEY}::varchar as unique_id, days.ds::timestamp as ds, coalesce(sold.pieces, 0)::double as y
    from days
    left join sold on days.{KEY} = sold.{KEY} and days.ds = sold.order_date
    order by unique_id, ds
"""


def read_histories(lake: Lake) -> Iterator[tuple[dt.date, pd.DataFrame]]:
    """The newest order_date, and the daily demand of some products up to it, until all have come.

    Columns as statsforecast wants them: unique_id (the product's key as text), ds, y (pieces). Cancelled
    orders are no demand.
    """
    if lake.table("silver.orders") is None:
        return
    with connect() as connection:
        connection.register("orders", present_rows(lake, catalog()["orders"]))
        connection.execute(SOLD)
        [(last, products)] = connection.execute(
            f"select (select max(order_date) from orders), count(distinct {KEY}) from sold"
        ).fetchall()
        for offset in range(0, products, PRODUCTS_AT_A_TIME):
            yield last, _history(connection, offset, last)


def _history(connection: duckdb.DuckDBPyConnection, offset: int, last: dt.date) -> pd.DataFrame:
    return connection.execute(HISTORIES, [offset, last]).df()
