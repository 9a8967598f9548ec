"""One run of a flow, from its first record in the ledger to the alert about its end."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
from prefect import Flow
from prefect.context import FlowRunContext
from prefect.logging import get_logger
from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

from blocks.settings.failures import DataFailure, PermanentFailure, TransientFailure, is_store_outage
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.alerts.troubles import failure_troubles
from tasks.ledger.postgres_copy import copy_ledger_to_postgres
from tasks.ledger.records import append_records
from tasks.ledger.run import Run
from tasks.ledger.warehouse_copy import copy_to_warehouse
from tasks.monitoring.metrics import push_metrics
from tasks.openlineage.watch import watched_run
from tasks.restore.damage import remedies
from tasks.runs.console import outlive_reader, silence_teardown
from tasks.runs.thresholds import record_thresholds
from tasks.timing import current

# Notifies people of a run's end.
Notify = Callable[[Run, Settings, Lake], object]
LEDGER_FIELDS = {"run_id", "flow", "ds", "status", "started_at", "duration_seconds", "error"}


@contextmanager
def recorded_run(flow: str, ds: dt.date, settings: Settings, lake: Lake, notify: Notify) -> Iterator[Run]:
    """Record a run in the ledger as running, then as completed or failed, whatever ends it; then `notify`.

    Gives the run. A ledger that cannot be written, a copy or an alert that fails is logged, and never hides
    how the run ended.
    """
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise RuntimeError("recorded_run belongs inside a flow")
    silence_teardown()
    outlive_reader()
    run = Run(
        run_id=str(context.flow_run.id),
        flow=flow,
        ds=ds,
        started_at=dt.datetime.now(dt.UTC),
        attempt=max(1, context.flow_run.run_count),
    )
    begun = time.monotonic()
    # A step ends with its run, whose heartbeats are enough. The thread that would send a step's own sleeps
    # whole seconds, and the step could not end before it wakes.
    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        _record(run, settings, lake)
        record_thresholds(run, settings, lake)
        try:
            with watched_run(run, settings) as watch, current(run, watch):
                yield run
            run.status = "completed"
        except BaseException as error:
            failure = _cause(error, lake)
            run.status, run.error = "failed", _describe(failure)
            run.troubles = failure_troubles(failure)
            if failure is error:
                raise
            raise failure from error
        finally:
            run.duration_seconds = time.monotonic() - begun
            _record(run, settings, lake)
            copy_ledger_to_postgres(settings, lake)
            push_metrics(run, settings, lake)
            _notify(run, settings, lake, notify)


def _cause(error: BaseException, lake: Lake) -> BaseException:
    """The error; if the lake is damaged, a failure that says where, and which command mends it."""
    if not isinstance(error, Exception) or isinstance(error, TransientFailure | DataFailure):
        return error
    if is_store_outage(error):
        return error
    try:
        damaged = "; ".join(remedies(lake))
    except Exception as unreadable:
        get_logger("ledger").warning("the lake's tables could not be looked at: %s", unreadable)
        return error
    return PermanentFailure(f"{damaged}. It stopped {_describe(error)}") if damaged else error


def _describe(error: BaseException) -> str:
    if not isinstance(error, Exception):
        return f"stopped from outside ({type(error).__name__}): cancelled, or its worker has ended"
    return f"{type(error).__name__}: {error}"


def _record(run: Run, settings: Settings, lake: Lake) -> None:
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
        append_records(lake, "pipeline_runs", [record])
        append_records(lake, "table_runs", counts)
        if ended:
            copy_to_warehouse(settings, lake)
    except Exception as error:
        get_logger("ledger").warning("run %s could not be recorded as %s: %s", run.run_id, run.status, error)


def _notify(run: Run, settings: Settings, lake: Lake, notify: Notify) -> None:
    try:
        try:
            notify(run, settings, lake)
        except httpx.TransportError:
            if not isinstance(notify, Flow):
                raise
            # Prefect's server is gone: a flow within the run needs it, a message does not.
            notify.fn(run, settings, lake)
    except Exception as error:
        get_logger("ledger").warning(
            "run %s has %s; people could not be notified: %s", run.run_id, run.status, error
        )
