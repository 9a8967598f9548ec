"""The record of a run that has followed the inventory."""

import datetime as dt

import pytest

from lake.row_counts import RowCounts
from tasks.inventory.monitor import record_counts
from tasks.inventory.stock_levels import Gap
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
                "they are not counted in any stock level"
            ],
        ),
    ],
)
def test_more_rejected_messages_than_the_threshold_allows_are_reported(
    run: Run, rejected: dict[str, int], notes: list[str]
) -> None:
    valid = 1000 - sum(rejected.values())
    record_counts(
        run, RowCounts("inventory", rows_in=1000, rows_out=valid, rejected=rejected), [], threshold=0.05
    )
    assert run.notes == notes
    assert run.rows_in == 1000
    assert run.rejected == [("inventory", reason, rows) for reason, rows in rejected.items()]


def test_gaps_are_reported_with_three_of_them(run: Run) -> None:
    at = dt.datetime(2024, 3, 4, 12, tzinfo=dt.UTC)
    gaps = [Gap(product_id=n, warehouse_id="north", event_at=at, expected=5, on_hand=4) for n in range(4)]
    record_counts(run, RowCounts("inventory", rows_in=4, rows_out=4), gaps, threshold=0.05)
    (note,) = run.notes
    assert note.startswith(
        "inventory: 4 gaps in the levels: some stock movements are missing (product 0 in north"
    )
    assert "product 2 in north at 2024-03-04 12:00:00: 5 expected, 4 reported" in note
    assert "product 3" not in note


def test_a_run_without_messages_has_nothing_to_report(run: Run) -> None:
    record_counts(run, RowCounts("inventory"), [], threshold=0.05)
    assert run.notes == []
