"""Stopping a run at a chosen place: before or after one of its writes, or in the middle of a stream.

Stopping is raising Crashed, or whatever else a test wants to happen there (test_kill.py kills the process).
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch


class Crashed(Exception):
    """The run stopped where the history said."""


class Seam(NamedTuple):
    """A function of the pipeline, as the module that calls it knows it, and how often a run may call it."""

    module: str
    name: str
    calls: int


LAKE_SEAMS = [
    Seam("tasks.extract", "record_source_totals", 1),
    Seam("tasks.extract", "unseen", 3),
    Seam("tasks.extract", "append", 3),
    Seam("tasks.clickstream", "append", 1),
    Seam("spark_jobs.silver", "overwrite", 4),
    # The quarantine of each table, then the silver of each.
    Seam("spark_jobs.silver", "upsert", 8),
    Seam("spark_jobs.lake", "Lake.mark_progress", 10),
    Seam("spark_jobs.gold", "overwrite", 2),
]
MART_SEAMS = [
    *LAKE_SEAMS,
    Seam("tasks.warehouse", "_load", 8),
    Seam("tasks.warehouse", "_create_open_quarantine", 1),
    Seam("tests.law.runs", "build_marts", 1),
    Seam("tasks.warehouse", "publish_file", 1),
]


class Crash(NamedTuple):
    """Stop at the `call`-th call (from 1) of the seam `module`.`name`: `before`, `inside` or `after` it."""

    module: str
    name: str
    call: int
    moment: str


def crashes(seams: list[Seam]) -> list[Crash]:
    """Every place at which a run can be stopped."""
    return [
        Crash(seam.module, seam.name, call, moment)
        for seam in seams
        for call in range(1, seam.calls + 1)
        for moment in (["inside"] if seam.name == "unseen" else ["before", "after"])
    ]


def raise_crashed(crash: Crash) -> None:
    """The ordinary way to stop."""
    raise Crashed(crash)


@contextmanager
def crashing(crash: Crash | None, stop: Callable[[Crash], None] = raise_crashed) -> Iterator[None]:
    """Within this context the run stops at `crash`, if it comes that far."""
    if crash is None:
        yield
        return
    owner: Any = importlib.import_module(crash.module)
    *path, name = crash.name.split(".")
    for part in path:
        owner = getattr(owner, part)
    real, calls = getattr(owner, name), 0

    def stream(*arguments: Any) -> Iterator[Any]:
        yield from real(*arguments)
        stop(crash)

    def stopping(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls != crash.call:
            return real(*arguments, **named)
        if crash.moment == "inside":
            return stream(*arguments)
        if crash.moment == "before":
            stop(crash)
        result = real(*arguments, **named)
        stop(crash)
        return result

    # A step is known by its name, in the run's record.
    stopping.name = getattr(real, "name", name)  # type: ignore[attr-defined]
    with patch.object(owner, name, stopping):
        yield
