"""The examples of the model: customers as they were known on a day, and whether they ordered within 30 days.

The split is by time, and honest: an example's outcome has happened before the first day of the next part, so
that no part has seen what the next is asked. Only every seventh day is an example, since two days in a row
say nearly the same.
"""

import datetime as dt
from typing import NamedTuple

import pandas as pd

from blocks.settings.failures import PermanentFailure
from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from tasks.features.contract import FeatureTable, feature_tables
from tasks.features.known import known_rows
from tasks.features.tables import feature_rows, register_versions

HORIZON_DAYS = 30
# A part is four days of the week, a week apart: 28 days.
EVERY_DAYS, DAYS_PER_PART = 7, 4
# What fits in memory a few times over; of more customers, a part is taken by the hash of their keys.
MOST_EXAMPLES = 400_000
ORDERED = "has_ordered"
EXAMPLES = """
    with {known}
    select features.*, exists (
        select 1 from orders
        where orders.customer_id = features.customer_id and orders.status != 'cancelled'
        and orders.order_date > features.feature_date
        and orders.order_date <= features.feature_date + {horizon}
    ) as has_ordered
    from features
    where total_orders > 0 and feature_date in (select unnest($days))
    and md5_number_lower(features.customer_id::varchar) % 1000 < $share
    order by feature_date, customer_id
"""


class Split(NamedTuple):
    """The days of each part, oldest first. The days between two parts are in none."""

    train: list[dt.date]
    calibrate: list[dt.date]
    test: list[dt.date]


def split_days(days: set[dt.date], covered: dt.date) -> Split:
    """The parts, of the days that have features; `covered` is the last day whose orders are known.

    Raises PermanentFailure if they are too few.
    """
    last = covered - dt.timedelta(days=HORIZON_DAYS)
    weekly = [day for day in sorted(days) if day <= last and (last - day).days % EVERY_DAYS == 0]
    test = weekly[-DAYS_PER_PART:]
    before = _ended_before(weekly, test)
    calibrate = before[-DAYS_PER_PART:]
    train = _ended_before(before, calibrate)
    if len(train) < DAYS_PER_PART:
        needed = (3 * DAYS_PER_PART * EVERY_DAYS) + 3 * HORIZON_DAYS
        raise PermanentFailure(
            f"the model needs features of about {needed} days up to {covered}, and has {len(days)}; "
            f"`python -m flows.features --first {covered - dt.timedelta(days=2 * needed)}` reconstructs days"
        )
    return Split(train, calibrate, test)


def _ended_before(days: list[dt.date], part: list[dt.date]) -> list[dt.date]:
    """The days whose outcome has happened before the part begins."""
    return [day for day in days if part and day + dt.timedelta(days=HORIZON_DAYS) < part[0]]


def read_examples(lake: Lake, days: list[dt.date]) -> pd.DataFrame:
    """The examples of some days, with has_ordered. Grain: one row per customer who had ordered, and day."""
    query = EXAMPLES.format(known=known_rows(catalog()["orders"], False), horizon=HORIZON_DAYS)
    with connect() as connection:
        register_versions(connection, lake, "orders")
        connection.register("features", feature_rows(lake, feature_tables()["customers"], days))
        [(rows,)] = connection.execute(
            "select count(*) from features where total_orders > 0 and feature_date in (select unnest($days))",
            {"days": days},
        ).fetchall()
        share = min(1000, 1000 * MOST_EXAMPLES // max(rows, 1))
        # Outcomes are as they are known today.
        until = dt.datetime(9999, 12, 31, tzinfo=dt.UTC)
        parameters = {"days": days, "share": share, "known_by": until}
        return connection.sql(query, params=parameters).to_arrow_table().to_pandas()


def read_day(lake: Lake, table: FeatureTable, date: dt.date) -> pd.DataFrame:
    """The customers who had ordered, as they were known on a day, by their keys."""
    found = feature_rows(lake, table, [date]).to_table().to_pandas()
    return found[found["total_orders"] > 0].sort_values(table.key, ignore_index=True)
