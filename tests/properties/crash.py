"""Stopping a run at a chosen place: before or after one of its writes, or in the middle of a stream.

Stopping is raising Crashed, or whatever else a test wants to happen there (test_kill.py kills the process).
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch


class Crashed(Exception):
    """The run stopped where the history said."""


class Seam(NamedTuple):
    """A function of the pipeline that writes, as the module that calls it knows it."""

    module: str
    name: str


LAKE_SEAMS = [
    Seam("tasks.ingest.postgres", "record_source_totals"),
    Seam("tasks.ingest.chunks", "unseen"),
    Seam("tasks.ingest.postgres", "append"),
    Seam("tasks.ingest.clickstream", "append"),
    Seam("spark_jobs.silver.job", "overwrite"),
    # The quarantine of each table that has new rows, then the silver of each.
    Seam("spark_jobs.silver.job", "upsert"),
    Seam("lake.delta", "Lake.mark_progress"),
    Seam("spark_jobs.gold.job", "overwrite"),
]
MART_SEAMS = [
    *LAKE_SEAMS,
    Seam("tasks.warehouse.load", "_load"),
    Seam("tasks.warehouse.load", "_create_open_quarantine"),
    Seam("tests.properties.runs", "build_marts"),
    Seam("tasks.warehouse.duckdb", "DuckDBWarehouse.publish"),
]
STREAMS = {"unseen"}


class Place(NamedTuple):
    """Before, after or inside the `call`-th call (from 1) of the seam `module`.`name`."""

    module: str
    name: str
    call: int
    moment: str


def raise_crashed(place: Place) -> None:
    """The ordinary way to stop."""
    raise Crashed(f"{place.moment} call {place.call} of {place.module}.{place.name}")


@contextmanager
def crashing(
    seams: list[Seam], is_here: Callable[[Place], bool], stop: Callable[[Place], None] = raise_crashed
) -> Iterator[None]:
    """Within this context `stop` is called at the places among `seams` for which `is_here` holds.

    `is_here` is asked at every place that the run passes, in order.
    """
    with ExitStack() as patches:
        for seam in seams:
            owner: Any = importlib.import_module(seam.module)
            *path, name = seam.name.split(".")
            for part in path:
                owner = getattr(owner, part)
            stopping = _stopping(seam, getattr(owner, name), is_here, stop)
            patches.enter_context(patch.object(owner, name, stopping))
        yield


def _stopping(
    seam: Seam, real: Callable[..., Any], is_here: Callable[[Place], bool], stop: Callable[[Place], None]
) -> Callable[..., Any]:
    calls = 0

    def at(call: int, moment: str) -> None:
        place = Place(*seam, call, moment)
        if is_here(place):
            stop(place)

    def stream(call: int, *arguments: Any) -> Iterator[Any]:
        yield from real(*arguments)
        at(call, "inside")

    def stopping(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        call = calls
        if seam.name in STREAMS:
            return stream(call, *arguments)
        at(call, "before")
        result = real(*arguments, **named)
        at(call, "after")
        return result

    # A step is known by its name, in the run's record.
    stopping.name = getattr(real, "name", seam.name)  # type: ignore[attr-defined]
    return stopping
