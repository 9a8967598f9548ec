"""Several streams as one."""

import threading
import time
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pytest

from tasks.ingest.read_concurrently import interleave

SCHEMA = pa.schema([("n", pa.int64())])


def numbers(start: int, stop: int) -> Iterator[pa.RecordBatch]:
    for n in range(start, stop):
        yield pa.record_batch([[n]], schema=SCHEMA)


def failing_after(start: int, stop: int) -> Iterator[pa.RecordBatch]:
    yield from numbers(start, stop)
    raise RuntimeError("stream broke")


def values(batches: Iterator[pa.RecordBatch]) -> list[int]:
    return sorted(n for batch in batches for n in batch["n"].to_pylist())


@pytest.mark.parametrize(
    ("bounds", "workers"),
    [
        pytest.param([(0, 50)], 2, id="one stream"),
        pytest.param([(0, 50), (50, 51), (51, 120)], 2, id="more streams than workers"),
        pytest.param([(0, 0), (0, 10), (10, 10)], 2, id="empty streams among them"),
        pytest.param([(0, 200), (200, 400)], 1, id="one worker"),
        pytest.param([], 2, id="no stream"),
    ],
)
def test_every_batch_of_every_stream_comes_once(bounds: list[tuple[int, int]], workers: int) -> None:
    expected = sorted(n for start, stop in bounds for n in range(start, stop))
    assert values(interleave([partial(numbers, *each) for each in bounds], workers)) == expected


@pytest.mark.parametrize("position", [0, 1, 2])
def test_the_error_of_one_stream_is_raised(position: int) -> None:
    streams = [partial(numbers, 0, 30), partial(numbers, 30, 60)]
    streams.insert(position, partial(failing_after, 60, 65))
    with pytest.raises(RuntimeError, match="stream broke"):
        values(interleave(streams, 2))


def test_no_more_streams_are_open_than_workers() -> None:
    open_now, most, lock = 0, 0, threading.Lock()

    def watched() -> Iterator[pa.RecordBatch]:
        nonlocal open_now, most
        with lock:
            open_now += 1
            most = max(most, open_now)
        time.sleep(0.02)
        yield from numbers(0, 2)
        with lock:
            open_now -= 1

    assert len(values(interleave([watched] * 6, 2))) == 12
    assert most == 2


@pytest.mark.timeout(20)
@pytest.mark.parametrize("taken", [0, 1, 5])
def test_closing_early_ends_the_threads(taken: int) -> None:
    before = threading.active_count()
    batches = interleave(
        [partial(numbers, 0, 10_000), partial(numbers, 0, 10_000), partial(numbers, 0, 9)], 2
    )
    for _ in range(taken):
        next(batches)
    batches.close()
    assert threading.active_count() == before
