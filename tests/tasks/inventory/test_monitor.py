"""What a run that has followed the inventory says about it."""

import datetime as dt

import pytest

from tasks.inventory.monitor import InventoryMonitor
from tasks.inventory.silver import Settled
from tasks.ledger.run import Run
from tests.support.platforms import Platform


@pytest.fixture
def run(platform: Platform) -> Run:
    return Run(run_id="a", flow="inventory", ds=dt.date(2024, 3, 4), started_at=dt.datetime.now(dt.UTC))


@pytest.mark.parametrize(
    ("rejected", "notes"),
    [
        ({}, []),
        ({"line_is_event": 50}, []),
        (
            {"line_is_event": 20, "product_known": 980},
            [
                "inventory: 1,000 of 1,000 messages were rejected (product_known 980, line_is_event 20): "
                "no level knows them"
            ],
        ),
    ],
)
def test_more_rejected_messages_than_the_threshold_allows_are_told(
    run: Run, rejected: dict[str, int], notes: list[str]
) -> None:
    with InventoryMonitor(run) as watch:
        watch.settled = Settled(rows_in=1000, rows_out=1000 - sum(rejected.values()), rejected=rejected)
    assert run.notes == notes


def test_a_run_without_messages_has_nothing_to_tell(run: Run) -> None:
    with InventoryMonitor(run):
        pass
    assert run.notes == []
