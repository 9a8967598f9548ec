"""Steps that time themselves: a function marked `timed` records its name and seconds in the current run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from pydantic import BaseModel

P = ParamSpec("P")

R = TypeVar("R")


class Steps(BaseModel):
    """The step that a run is at, or was last at, and the wall seconds of each step so far."""

    step: str | None = None
    seconds: dict[str, float] = {}


_current: ContextVar[Steps | None] = ContextVar("current run", default=None)


@contextmanager
def current(run: Steps) -> Iterator[None]:
    """A context whose steps time themselves into `run`."""
    token = _current.set(run)
    try:
        yield
    finally:
        _current.reset(token)


def timed(step: Callable[P, R]) -> Callable[P, R]:
    """Make a step record in the current run its name, while it runs, and its wall seconds, which add up."""
    name = getattr(step, "__name__", "step").replace("_", "-")

    @wraps(step)
    def run_step(*args: P.args, **kwargs: P.kwargs) -> R:
        run = _current.get()
        if run is None:
            return step(*args, **kwargs)
        run.step, begun = name, time.monotonic()
        try:
            return step(*args, **kwargs)
        finally:
            run.seconds[name] = run.seconds.get(name, 0) + time.monotonic() - begun

    return run_step
