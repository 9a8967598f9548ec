"""One run of a pipeline, from its first record in the ledger to the message about its end."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from prefect.context import FlowRunContext
from prefect.logging import get_logger
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings
from pydantic import BaseModel

from spark_jobs.silver import Checked, Published
from tasks.command_line import silence_teardown
from tasks.extract import Extracted
from tasks.ledger import append_records, copy_to_warehouse
from tasks.ledger_mirror import mirror_ledger
from tasks.metrics import push_metrics
from tasks.quality import QualityResult
from tasks.warehouse import Loaded

P = ParamSpec("P")
R = TypeVar("R")
LEDGER_FIELDS = {"run_id", "flow", "ds", "status", "started_at", "duration_seconds", "error"}


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
    checked: list[Checked] = []
    tables: list[Published] = []
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
        return [(c.table, reason, rows) for c in self.checked for reason, rows in c.rejected.items()]


@contextmanager
def recorded_run(flow: str, ds: dt.date, tell: Callable[[Run], object]) -> Iterator[Run]:
    """Record a run in the ledger as running, then as completed or failed, whatever ends it; then `tell` it.

    A ledger that cannot be written, boards that cannot be told, or a message that cannot be sent, is
    logged, and never hides how the run ended.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("recorded_run belongs inside a flow")
    silence_teardown()
    run = Run(run_id=str(context.flow_run.id), flow=flow, ds=ds, started_at=dt.datetime.now(dt.UTC))
    begun = time.monotonic()
    # A step lives and dies with the run, whose heartbeats speak for it too. The thread that would send a
    # step's own sleeps whole seconds, and keeps the step from ending until it wakes.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        _record(run)
        try:
            yield run
            run.status = "completed"
        except BaseException as error:
            run.status, run.error = "failed", _words(error)
            raise
        finally:
            run.duration_seconds = time.monotonic() - begun
            _record(run)
            mirror_ledger()
            push_metrics(run)
            _try_to_tell(run, tell)


def _words(error: BaseException) -> str:
    if not isinstance(error, Exception):
        return f"stopped from outside ({type(error).__name__}): cancelled, or its worker has ended"
    return f"{type(error).__name__}: {error}"


def _record(run: Run) -> None:
    ended = run.status != "running"
    counts = [
        {
            "run_id": run.run_id,
            "ds": run.ds,
            "table_name": table.table,
            "rows_in": table.rows_in,
            "rows_out": table.rows_out,
            "rows_duplicate": table.duplicates,
            "rows_quarantined": table.quarantined,
        }
        for table in run.tables
    ]
    totals = {
        name: sum(int(str(row[name])) for row in counts)
        for name in ("rows_in", "rows_out", "rows_duplicate", "rows_quarantined")
    }
    record = {
        **run.model_dump(include=LEDGER_FIELDS),
        **totals,
        "failed_step": run.step if run.status == "failed" else None,
        "ended_at": dt.datetime.now(dt.UTC) if ended else None,
    }
    try:
        append_records("pipeline_runs", [record])
        append_records("table_runs", counts)
        if ended:
            copy_to_warehouse()
    except Exception as error:
        get_logger("ledger").warning("run %s could not be recorded as %s: %s", run.run_id, run.status, error)


def _try_to_tell(run: Run, tell: Callable[[Run], object]) -> None:
    try:
        tell(run)
    except Exception as error:
        get_logger("ledger").warning(
            "run %s has %s; telling people of it did not come to its end: %s", run.run_id, run.status, error
        )
