"""Chunks of a table: no key twice, no key missed, and about as many rows in each, whatever the keys."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.ingest.chunks import SAMPLED_KEYS, key_ranges

BIGINT = st.integers(min_value=-(2**63), max_value=2**63 - 1)


@given(
    keys=st.sets(BIGINT, min_size=1, max_size=60),
    sample=st.lists(BIGINT, max_size=60),
    chunks=st.integers(min_value=1, max_value=30),
)
def test_every_key_lies_in_exactly_one_range(keys: set[int], sample: list[int], chunks: int) -> None:
    ranges = key_ranges(sorted(sample), chunks)
    for key in keys:
        homes = [
            (low, high)
            for low, high in ranges
            if (low is None or low <= key) and (high is None or key < high)
        ]
        assert len(homes) == 1
    assert len(ranges) <= chunks
    # Rows without a key belong to the range without a lower bound: there is one, and it is the first.
    assert [low is None for low, _ in ranges] == [True] + [False] * (len(ranges) - 1)
    assert all(before[1] == after[0] for before, after in pairwise(ranges))


@pytest.mark.parametrize(
    ("sample", "chunks", "expected"),
    [
        pytest.param([], 0, [], id="nothing to read"),
        pytest.param([], 3, [(None, None)], id="only rows without a key"),
        pytest.param(range(1, 11), 1, [(None, None)], id="one chunk"),
        pytest.param(range(1, 21), 2, [(None, 11), (11, None)], id="two chunks"),
        pytest.param([7, 7, 7, 8], 4, [(None, 7), (7, 8), (8, None)], id="never more chunks than keys"),
        pytest.param(
            ["B", "a", "ä", "b"], 2, [(None, "ä"), ("ä", None)], id="texts, in the database's order"
        ),
    ],
)
def test_ranges(sample: list, chunks: int, expected: list) -> None:
    assert key_ranges(list(sample), chunks) == expected


def test_a_key_far_away_makes_no_chunk_of_all_the_others() -> None:
    keys = [*range(1, 5 * SAMPLED_KEYS), 10**12]
    ranges = key_ranges(keys, 5)
    rows = [sum((low or 0) <= key < (high or 10**13) for key in keys) for low, high in ranges]
    assert rows == [SAMPLED_KEYS] * 5
