"""Fixtures of the warehouse's tests."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hand_made import customer, order, product
from silver_tables import Silver, event

from tasks import warehouse


@pytest.fixture
def silver(platform: Any) -> Silver:
    made = Silver(platform)
    made.append("silver.orders", order(1), order(2))
    made.append("silver.customers", customer(1))
    made.append("silver.products", product(1))
    made.append("silver.clickstream", event("a"), event("b"))
    return made


@pytest.fixture
def staged(platform: Any) -> Iterator[Path]:
    with warehouse.staged_warehouse() as path:
        yield path
