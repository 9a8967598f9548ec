"""The events of one run: what begins, and how it ends, with the datasets and rows of what a step returns.

Needs the extra bi. Nothing here raises into the run.
"""

import datetime as dt
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Literal

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, RunEvent, RunState, set_producer
from openlineage.client.event_v2 import Run as LineageRun
from openlineage.client.facet_v2 import error_message_run, job_type_job, nominal_time_run, parent_run
from openlineage.client.generated.base import RunFacet
from openlineage.client.uuid import generate_new_uuid
from prefect.logging import get_logger

from blocks.settings.environment import namespaced
from blocks.settings.settings import Settings
from lake.row_counts import Extracted, Flagged, RowCounts
from tasks.features.refresh import Refreshed
from tasks.ingest.extract_window import day_start
from tasks.ledger.run import Run
from tasks.lineage.files import read_lineage
from tasks.openlineage.client import TIMEOUT_SECONDS, open_client
from tasks.openlineage.datasets import Datasets
from tasks.reorder.plan import Planned
from tasks.reorder.policy_table import LAKE_NAME
from tasks.transform.dbt import Built
from tasks.warehouse.interface import Loaded

set_producer("urn:ecommerce-pipeline")
Kind = Literal["DAG", "TASK"]


class Sender:
    """Sends the events of one run to all receivers."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self.run, self.settings = run, settings
        self.namespace = os.environ.get("OPENLINEAGE_NAMESPACE") or namespaced("ecommerce-pipeline", "-")
        self.client = _attempted(open_client, settings)

    @contextmanager
    def run_events(self) -> Iterator[None]:
        """Send that the run begins, and how it ends."""
        try:
            with self._events(self.run.flow, self.run.run_id, "DAG"):
                yield
        finally:
            _attempted(self._close)

    @contextmanager
    def step_events(self, step: str) -> Iterator[Callable[[Any], None]]:
        """Send that a step begins, and how it ends; gives what takes the step's result."""
        with self._events(f"{self.run.flow}.{step}", str(generate_new_uuid()), "TASK") as returned:
            yield returned

    @contextmanager
    def _events(self, job: str, run_id: str, kind: Kind) -> Iterator[Callable[[Any], None]]:
        results: list[Any] = []
        _attempted(self._send, RunState.START, job, run_id, kind)
        try:
            yield results.append
        except BaseException as error:
            # A run that somebody has stopped has not failed.
            state = RunState.FAIL if isinstance(error, Exception) else RunState.ABORT
            _attempted(self._send, state, job, run_id, kind, error=error)
            raise
        _attempted(self._send, RunState.COMPLETE, job, run_id, kind, results)

    def _send(
        self,
        state: RunState,
        job: str,
        run_id: str,
        kind: Kind,
        results: list[Any] | None = None,
        error: BaseException | None = None,
    ) -> None:
        if self.client is None or not self.client.transport.live:
            return
        inputs, outputs = self._datasets(results or [])
        event = RunEvent(
            eventTime=dt.datetime.now(dt.UTC).isoformat(),
            eventType=state,
            run=LineageRun(run_id, facets=dict(self._run_facets(kind, error))),
            job=Job(self.namespace, job, facets={"jobType": _job_type(kind)}),
            inputs=inputs,
            outputs=outputs,
        )
        self.client.emit(event)

    def _run_facets(self, kind: Kind, error: BaseException | None) -> Iterator[tuple[str, RunFacet]]:
        begin, end = (
            day_start(day, self.settings.shop_timezone)
            for day in (self.run.ds, self.run.ds + dt.timedelta(days=1))
        )
        yield (
            "nominalTime",
            nominal_time_run.NominalTimeRunFacet(begin.isoformat(), end.isoformat()),
        )
        if kind == "TASK":
            yield (
                "parent",
                parent_run.ParentRunFacet(
                    run=parent_run.Run(self.run.run_id),
                    job=parent_run.Job(self.namespace, self.run.flow),
                    root=parent_run.Root(
                        run=parent_run.RootRun(self.run.run_id),
                        job=parent_run.RootJob(self.namespace, self.run.flow),
                    ),
                ),
            )
        if error is not None:
            text = f"{type(error).__name__}: {error}"
            yield "errorMessage", error_message_run.ErrorMessageRunFacet(text, "PYTHON")

    def _datasets(self, results: list[Any]) -> tuple[list[InputDataset], list[OutputDataset]]:
        """What a step has read and written, by what it returns."""
        inputs: dict[tuple[str, str], InputDataset] = {}
        outputs: dict[tuple[str, str], OutputDataset] = {}
        for result in _flat(results):
            read, written = self._of(result)
            inputs |= {(each.namespace, each.name): each for each in read}
            outputs |= {(each.namespace, each.name): each for each in written}
        return list(inputs.values()), list(outputs.values())

    def _of(self, result: Any) -> tuple[list[InputDataset], list[OutputDataset]]:
        match result:
            case Extracted(table=table, rows=rows):
                origins = [self._made.input(name) for name in self._made.origins(table)]
                return origins, [self._made.output(f"bronze.{table}", rows)]
            case Flagged(table=table, rows_in=rows, rejected=rejected):
                return (
                    [self._made.input(f"bronze.{table}", rows)],
                    [self._made.output(f"quarantine.{table}", sum(rejected.values()))],
                )
            case RowCounts(table=table, rows_in=rows_in, rows_out=rows_out):
                return (
                    [self._made.input(f"bronze.{table}", rows_in)],
                    [self._made.output(f"lake.silver.{table}", rows_out)],
                )
            case Loaded(rows=rows):
                return (
                    [self._made.input(f"lake.silver.{table}", number) for table, number in rows.items()],
                    [self._made.output(f"silver.{table}", number) for table, number in rows.items()],
                )
            case Planned(rows=number):
                return [], [self._made.output(f"lake.{LAKE_NAME}", number)]
            case Refreshed(table=table):
                return [], [self._made.output(f"lake.{table}"), self._made.output(table)]
            case Built(models=models):
                return [], [self._made.output(self._made.mart(model)) for model in models]
            case _:
                return [], []

    @cached_property
    def _made(self) -> Datasets:
        """Read only once a step has something to say."""
        try:
            lineage = read_lineage(self.settings)
        except Exception as error:
            get_logger("openlineage").warning("OpenLineage events are without column lineage: %s", error)
            lineage = None
        return Datasets(self.settings, lineage)

    def _close(self) -> None:
        if isinstance(self.client, OpenLineageClient):
            self.client.close(TIMEOUT_SECONDS)


def _job_type(kind: Kind) -> job_type_job.JobTypeJobFacet:
    return job_type_job.JobTypeJobFacet("BATCH", "PREFECT", kind)


def _flat(results: Any) -> Iterator[Any]:
    """The single results in lists and tuples of them."""
    if isinstance(results, list | tuple):
        for each in results:
            yield from _flat(each)
    else:
        yield results


def _attempted(deed: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """What the deed returns; None, and a warning, if it fails: the run goes on."""
    try:
        return deed(*arguments, **more)
    except Exception as error:
        # Its words may hold the receiver's address, with a password.
        get_logger("openlineage").warning("no OpenLineage event: %s", type(error).__name__)
        return None
