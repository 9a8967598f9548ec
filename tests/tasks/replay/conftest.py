"""A lake with rows in quarantine."""

import datetime as dt
from decimal import Decimal

import pytest

from tasks.ingest.clickstream import extract_clickstream
from tasks.ingest.postgres import extract_table
from tasks.transform.spark import flag_rows, write_silver
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, at, click, order, put, write_clicks

PARTS = click("p1") + '{"event_id": "p2"}'


def run(day: dt.date = DAY) -> None:
    """Orders and clicks, source to silver."""
    extract_table.fn("orders", day, *here())
    extract_clickstream.fn(day, *here())
    for table in ("orders", "clickstream"):
        write_silver.fn(flag_rows.fn(table, *here()), *here())


@pytest.fixture
def quarantined(platform: Platform) -> Platform:
    """Orders 41 to 44 and one without a key are rejected, and of the clicks a line and a part of a line."""
    put(
        platform,
        "orders",
        order(1),
        order(41, amount=Decimal(0)),
        order(42, status="lost", updated_at=at(DAY, 13)),
    )
    put(platform, "orders", order(43, quantity=0, amount=Decimal("7.50")), order(44, amount="NaN"))
    write_clicks(platform.clickstream, DAY, [click("a"), "{broken", PARTS])
    run()
    return platform
