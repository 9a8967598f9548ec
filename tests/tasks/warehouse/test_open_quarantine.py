"""The view of rejected rows that still wait for a valid version."""

from pathlib import Path

import pytest

from lake.catalog import catalog
from tests.support.rows import DAY, at, order
from tests.support.silver_tables import Silver, load, query, rejected

OPEN_CASES = [
    pytest.param([("7", 10)], [], {"7": 10}, id="rejected, never valid"),
    pytest.param([("1", 13)], [], {"1": 13}, id="the newest version is rejected, an older one valid"),
    pytest.param([("1", 11)], [], {}, id="a newer version is valid already"),
    pytest.param([("1", 12)], [], {}, id="the same version is valid: the row was fixed in place"),
    pytest.param(
        [("1", 13), ("1", 14), ("1", 15)], [], {"1": 15}, id="several rejected: the newest is the open one"
    ),
    pytest.param([("1", 13), ("1", 14)], [15], {}, id="closed by a newer valid version"),
    pytest.param(
        [("1", 13), ("1", 15)],
        [14],
        {"1": 15},
        id="a valid version between two rejected closes only the first",
    ),
    pytest.param([(None, 10), (None, 11)], [], {None: 2}, id="rows without a key stay open, each"),
    pytest.param([("1", None)], [], {"1": None}, id="a rejected version without a time"),
]


@pytest.mark.parametrize(("rejects", "later_valid", "expected"), OPEN_CASES)
def test_open_quarantine(
    silver: Silver,
    staged: Path,
    rejects: list[tuple[str | None, int | None]],
    later_valid: list[int],
    expected: dict,
) -> None:
    """Order 1 is valid as of 12 o'clock; the hours are of its rejected and its later valid versions."""
    rows = [
        rejected(number, "orders", key, at(DAY, hour) if hour is not None else None)
        for number, (key, hour) in enumerate(rejects)
    ]
    silver.append("quarantine.orders", *rows)
    load(staged)
    for hour in later_valid:
        silver.replace("silver.orders", order(1, updated_at=at(DAY, hour)), order(2))
        load(staged)
    found = query(staged, "select key, hour(timezone('UTC', occurred_at)) from quarantine.open_rows")
    if None in expected:
        assert [key for key, _ in found] == [None] * expected[None]
    else:
        assert dict(found) == expected
        assert len(found) == len(expected)


def test_an_open_row_shows_reason_source_day_and_raw_row(silver: Silver, staged: Path) -> None:
    silver.append("quarantine.orders", rejected(1, "orders", "7", at(DAY), raw='{"order_id": 7}'))
    load(staged)
    columns = "source, ds, reason, key, raw"
    assert query(staged, f"select {columns} from quarantine.open_rows") == [
        ("orders", DAY, "amount_in_range", "7", '{"order_id": 7}')
    ]


def test_a_rejected_click_is_closed_by_the_event_whenever_it_happened(silver: Silver, staged: Path) -> None:
    silver.append(
        "quarantine.clickstream",
        rejected(1, "clickstream", "a", at(DAY, 23)),
        rejected(2, "clickstream", "z", at(DAY, 1)),
        rejected(3, "clickstream", None, None),
    )
    load(staged)
    assert sorted(query(staged, "select key from quarantine.open_rows"), key=str) == [("z",), (None,)]


def test_all_tables_are_in_the_view(silver: Silver, staged: Path) -> None:
    for number, table in enumerate(catalog()):
        silver.append(f"quarantine.{table}", rejected(number, table, "999", at(DAY)))
    load(staged)
    found = query(staged, "select source from quarantine.open_rows order by 1")
    assert found == [(table,) for table in sorted(catalog())]
