"""Several streams of Arrow batches read at once, as one."""

import contextlib
import queue
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pyarrow as pa

WORKERS = 2


def interleave(
    streams: Sequence[Callable[[], Iterator[pa.RecordBatch]]], workers: int
) -> Iterator[pa.RecordBatch]:
    """Batches of all streams, `workers` of them open at a time, in no particular order.

    Each stream runs in a thread of its own, so it may itself read an open table of the lake while a Delta
    writer waits for its batches (delta-rs refuses that in the writer's thread). A stream's error is raised
    at the end.
    """
    ready: queue.Queue[pa.RecordBatch | None] = queue.Queue(maxsize=2 * workers)
    stopped = Event()

    def drain(stream: Callable[[], Iterator[pa.RecordBatch]]) -> None:
        try:
            for batch in stream():
                if stopped.is_set():
                    return
                ready.put(batch)
        finally:
            ready.put(None)

    with ThreadPoolExecutor(max_workers=workers) as executor:
        futures: list[Future[None]] = [executor.submit(drain, stream) for stream in streams]
        try:
            for _ in streams:
                while (batch := ready.get()) is not None:
                    yield batch
            for future in futures:
                future.result()
        finally:
            stopped.set()
            while not all(future.done() for future in futures):
                _discard(ready)


def _discard(ready: "queue.Queue[pa.RecordBatch | None]") -> None:
    with contextlib.suppress(queue.Empty):
        ready.get(timeout=0.05)
