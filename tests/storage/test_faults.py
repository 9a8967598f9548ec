"""A store that breaks off or is slow: the table stays what it was, and the next try makes up for it."""

import datetime as dt
import random
import time
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from blocks.settings.failures import TransientFailure
from lake.delta import Lake
from tasks.ingest.bronze import COVERED, append, covered_until
from tests.storage.conftest import Store
from tests.support.proxy import open_proxy
from tests.support.rows import DAY

NAME = "bronze.things"
SCHEMA = pa.schema([("id", pa.int64()), ("text", pa.string())])
ROWS = 20_000


def batches(begin: int) -> Iterator[pa.RecordBatch]:
    """About a megabyte that does not compress: several pieces of any upload."""
    dice = random.Random(begin)
    numbers = range(begin, begin + ROWS)
    yield pa.record_batch([list(numbers), [dice.randbytes(30).hex() for _ in numbers]], SCHEMA)


def put(lake: Lake, begin: int, day: dt.date = DAY) -> int:
    return append(lake, NAME, SCHEMA, batches(begin), {COVERED: day.toordinal()})


def contents(lake: Lake) -> list[int]:
    table = lake.table(NAME)
    assert table is not None
    return sorted(table.to_pyarrow_table()["id"].to_pylist())


@pytest.mark.parametrize("kind", ["moto", "seaweedfs"])
def test_an_upload_that_is_cut_leaves_the_table_as_it_was(
    request: pytest.FixtureRequest,
    point_at: Callable[..., Lake],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    store: Store = request.getfixturevalue(kind)
    lake = point_at(store)
    assert put(lake, 0) == ROWS
    next_day = DAY + dt.timedelta(days=1)

    with open_proxy(store.url, cut_after_bytes=300_000) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        with pytest.raises(TransientFailure, match=r"cannot write s3://.*/bronze/things .*after \d+ retries"):
            put(lake, ROWS, next_day)
        # Also through the proxy: what is small goes through.
        assert contents(lake) == list(range(ROWS))
    assert proxy.cuts > 1
    monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
    assert contents(lake) == list(range(ROWS))
    assert covered_until(lake, NAME) == DAY.toordinal()

    assert put(lake, ROWS, next_day) == ROWS
    assert contents(lake) == list(range(2 * ROWS))
    assert covered_until(lake, NAME) == next_day.toordinal()


def test_a_slow_store_only_takes_longer(moto: Store, point_at: Callable[..., Lake]) -> None:
    """One that never answers is given up: delta-rs and Arrow both have their own limits, of some 200 s."""
    with open_proxy(moto.url, delay_seconds=0.1) as proxy:
        lake = point_at(moto, url=proxy.url)
        begun = time.monotonic()
        assert put(lake, 0) == ROWS
        assert contents(lake) == list(range(ROWS))
        assert time.monotonic() - begun > 1
