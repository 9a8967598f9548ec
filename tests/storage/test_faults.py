"""A store that breaks off or is slow: the table stays what it was, and the next try makes up for it."""

import datetime as dt
import random
import time
from collections.abc import Callable, Iterator

import pyarrow as pa
import pytest

from blocks.settings.failures import TransientFailure, is_store_outage
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


# A request is given up after 30 s, else; ten tries are as usual.
IMPATIENT = "1500ms"


@pytest.mark.slow
def test_a_store_that_falls_silent_is_given_up_in_writing_and_in_reading(
    moto: Store, point_at: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = point_at(moto)
    assert put(lake, 0) == ROWS
    next_day = DAY + dt.timedelta(days=1)
    monkeypatch.setenv("AWS_TIMEOUT", IMPATIENT)
    with open_proxy(moto.url) as proxy:

        def silenced() -> Iterator[pa.RecordBatch]:
            yield from batches(ROWS)
            proxy.fall_silent()
            yield from batches(2 * ROWS)

        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        table = lake.table(NAME)
        assert table
        begun = time.monotonic()
        with pytest.raises(TransientFailure, match=r"cannot write s3://.*/bronze/things .*after \d+ retries"):
            append(lake, NAME, SCHEMA, silenced(), {COVERED: next_day.toordinal()})
        with pytest.raises(OSError, match=r"after \d+ retries") as raised:
            table.to_pyarrow_table()
        assert is_store_outage(raised.value)
        assert time.monotonic() - begun < 120
    monkeypatch.delenv("AWS_TIMEOUT")
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto.url)
    assert contents(lake) == list(range(ROWS))
    assert covered_until(lake, NAME) == DAY.toordinal()
    assert put(lake, ROWS, next_day) == ROWS
    assert contents(lake) == list(range(2 * ROWS))


def test_a_read_whose_answer_stops_half_way_goes_on_where_it_was(
    moto: Store, point_at: Callable[..., Lake], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = point_at(moto)
    assert put(lake, 0) == ROWS
    monkeypatch.setenv("AWS_TIMEOUT", IMPATIENT)
    with open_proxy(moto.url, stall_after_bytes=300_000) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        assert contents(lake) == list(range(ROWS))
    assert proxy.stalls > 0
