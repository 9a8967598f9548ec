"""A shop whose customers differ in how often they order, with a lake that has read them every morning."""

import datetime as dt
import random
from decimal import Decimal

from lake.catalog import catalog
from lake.delta import Lake
from tasks.features.contract import feature_tables
from tasks.features.known import day_of
from tasks.features.tables import reading_versions, write_day
from tasks.ingest.bronze import COVERED, append
from tests.support.rows import at, customer, order
from tests.support.versions import append_versions, version

FIRST = dt.date(2024, 1, 1)
DAYS = 300
CUSTOMERS = 300
LAST = FIRST + dt.timedelta(days=DAYS - 1)
# Days between two orders of the regulars and of the others.
OFTEN, SELDOM = 15, 120


def make_repeat_shop(lake: Lake, seed: int = 7) -> None:
    """Versions of orders and customers, how far the lake has covered them, and the features of each Wednesday."""
    rng = random.Random(seed)
    orders, customers = [], []
    for number in range(1, CUSTOMERS + 1):
        gap = OFTEN if number % 2 else SELDOM
        segment = rng.choice(["gold", "new"])
        customers.append(version(customer(number, customer_segment=segment), at(FIRST, 6)))
        day = rng.randrange(gap)
        while day < DAYS:
            date = FIRST + dt.timedelta(days=day)
            amount = Decimal(rng.randint(500, 9000)) / 100
            row = order(len(orders) + 1, customer_id=number, order_date=date, amount=amount, status="shipped")
            orders.append(version(row, at(date + dt.timedelta(days=1), 6)))
            day += 1 + int(rng.expovariate(1 / gap))
    append_versions(lake, "orders", orders)
    append_versions(lake, "customers", customers)
    covered = dt.datetime.combine(LAST + dt.timedelta(days=1), dt.time(), dt.UTC)
    append(
        lake,
        "bronze.orders",
        catalog()["orders"].bronze_schema,
        iter(()),
        {COVERED: int(covered.timestamp())},
    )
    table = feature_tables()["customers"]
    with reading_versions(lake) as connection:
        # The days that the model takes: the last whose outcome is known, and every week before it.
        for weeks in range(36):
            date = LAST - dt.timedelta(days=30 + 7 * weeks)
            write_day(connection, lake, table, day_of(date, dt.UTC, at(FIRST, 6)))
        write_day(connection, lake, table, day_of(LAST, dt.UTC, at(FIRST, 6)))
