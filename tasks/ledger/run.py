"""One run of a pipeline: what its steps have returned so far, and how it ended."""

import datetime as dt
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pydantic import BaseModel

from lake.row_counts import Extracted, Flagged, RowCounts
from tasks.ledger.quality_result import QualityResult
from tasks.warehouse.interface import Loaded

P = ParamSpec("P")

R = TypeVar("R")


class Run(BaseModel):
    """A run and what its steps have returned so far; `seconds` are wall seconds per step."""

    run_id: str
    flow: str
    ds: dt.date
    started_at: dt.datetime
    status: str = "running"
    step: str | None = None
    error: str | None = None
    duration_seconds: float | None = None
    seconds: dict[str, float] = {}
    extracted: list[Extracted] = []
    flagged: list[Flagged] = []
    tables: list[RowCounts] = []
    loaded: Loaded | None = None
    warnings: list[QualityResult] = []
    report_url: str | None = None

    def timed(self, step: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a step, noting its name while it runs and its wall seconds, which add up over calls."""
        self.step = getattr(step, "name", "step")
        begun = time.monotonic()
        try:
            return step(*args, **kwargs)
        finally:
            self.seconds[self.step] = self.seconds.get(self.step, 0) + time.monotonic() - begun

    @property
    def notes(self) -> list[str]:
        """Everything that a person should know though it did not stop the run."""
        return [text for each in self.extracted for text in each.warnings] + [str(w) for w in self.warnings]

    @property
    def rejected(self) -> list[tuple[str, str, int]]:
        """(table, reason, rows) of what the run rejected."""
        return [(c.table, reason, rows) for c in self.flagged for reason, rows in c.rejected.items()]
