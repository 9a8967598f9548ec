"""The right to write the lake, which a run holds (tasks/warehouse/lake_lock.py) and may lose while it sleeps.

It is asked for before each commit of the tables that have one writer. Those of `ops`, and of the stock
events, have many, whom Delta keeps apart.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Of the process: its threads write for the same run.
_checks: list[Callable[[], None]] = []


@contextmanager
def held_right(check: Callable[[], None]) -> Iterator[None]:
    """A context in which `check` says, by an error, that this process may no longer write."""
    _checks.append(check)
    try:
        yield
    finally:
        _checks.remove(check)


def check_right() -> None:
    """Raise what the holder of the right raises if it has lost it; nothing if there is no holder."""
    for check in _checks:
        check()
