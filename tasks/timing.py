"""Steps that time themselves: a function marked `timed` records its name and seconds in the current run.

Whoever wants to know more of the steps of a run watches it. A run that has lost its right to write begins no
step (lake/right.py).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel

from lake.right import check_right

P = ParamSpec("P")

R = TypeVar("R")


class Steps(BaseModel):
    """The step that a run is at, or was last at, and the wall seconds of each step so far."""

    step: str | None = None
    seconds: dict[str, float] = {}
    remarks: list[str] = []
    """Sentences about the run itself, not about its data: people are told them as warnings."""


Watch = Callable[[str], AbstractContextManager[Callable[[Any], None]]]
"""Makes, of a step's name, the context in which the step runs; that takes what the step returns."""


@contextmanager
def unwatched(step: str) -> Iterator[Callable[[Any], None]]:
    """The context of a step that nobody watches."""
    yield lambda result: None


_current: ContextVar[tuple[Steps, Watch] | None] = ContextVar("current run", default=None)


@contextmanager
def current(run: Steps, watch: Watch = unwatched) -> Iterator[None]:
    """A context whose steps time themselves into `run`, and are watched."""
    token = _current.set((run, watch))
    try:
        yield
    finally:
        _current.reset(token)


def remark(sentence: str) -> None:
    """Have people told, with the current run, what a step could not do that does not stop the run."""
    found = _current.get()
    if found:
        found[0].remarks.append(sentence)


def timed(step: Callable[P, R]) -> Callable[P, R]:
    """Make a step record in the current run its name, while it runs, and its wall seconds, which add up."""
    name = getattr(step, "__name__", "step").replace("_", "-")

    @wraps(step)
    def run_step(*args: P.args, **kwargs: P.kwargs) -> R:
        found = _current.get()
        if found is None:
            return step(*args, **kwargs)
        check_right()
        run, watch = found
        run.step, begun = name, time.monotonic()
        try:
            with watch(name) as returned:
                result = step(*args, **kwargs)
                returned(result)
                return result
        finally:
            run.seconds[name] = run.seconds.get(name, 0) + time.monotonic() - begun

    return run_step
