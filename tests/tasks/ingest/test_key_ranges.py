"""Chunks of a table: no key twice, no key missed, whatever the keys."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.postgres import key_ranges

BIGINT = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(
    keys=st.sets(BIGINT, min_size=1, max_size=60),
    rows_without_key=st.integers(min_value=0, max_value=20),
    chunk_rows=st.integers(min_value=1, max_value=30),
)
def test_every_key_lies_in_exactly_one_range(keys: set[int], rows_without_key: int, chunk_rows: int) -> None:
    ranges = key_ranges(len(keys) + rows_without_key, min(keys), max(keys), chunk_rows)
    for key in keys:
        homes = [
            (low, high)
            for low, high in ranges
            if (low is None or low <= key) and (high is None or key < high)
        ]
        assert len(homes) == 1
    # Rows without a key belong to the range without a lower bound: there is one, and it is the first.
    assert [low is None for low, _ in ranges] == [True] + [False] * (len(ranges) - 1)
    assert all(before[1] == after[0] for before, after in pairwise(ranges))


@pytest.mark.parametrize(
    ("rows", "low", "high", "expected"),
    [
        pytest.param(0, None, None, [], id="nothing to read"),
        pytest.param(5, None, None, [(None, None)], id="only rows without a key"),
        pytest.param(10, 1, 10, [(None, None)], id="one chunk"),
        pytest.param(20, 1, 20, [(None, 11), (11, None)], id="two chunks"),
        pytest.param(50, 7, 8, [(None, 8), (8, None)], id="never more chunks than keys"),
        pytest.param(99, 7, 7, [(None, None)], id="one key"),
    ],
)
def test_ranges(rows: int, low: int | None, high: int | None, expected: list) -> None:
    assert key_ranges(rows, low, high, chunk_rows=10) == expected
