"""dbt: build and test the marts in the staged warehouse, through prefect-dbt, which shows each node."""

import hashlib
import itertools
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt_common.events.base_types import EventLevel
from prefect.context import get_settings_context
from prefect.logging import get_run_logger
from prefect_dbt import PrefectDbtRunner, PrefectDbtSettings
from pydantic import BaseModel

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import DataFailure, PermanentFailure
from blocks.settings.settings import Settings
from expectations.suite import CRITICAL, WARNING
from tasks.ingest.decisions import Decisions, command
from tasks.ledger.quality_result import QualityResult
from tasks.transform.dbt_sources import write_sources
from tasks.warehouse.interface import Session, Warehouse

PROJECT = REPOSITORY / "dbt"
SOURCE_FOLDERS = ("models", "macros", "snapshots", "tests")


class Built(BaseModel):
    """The models that a build has made, by name, and the results of its tests."""

    models: list[str] = []
    results: list[QualityResult] = []

    @property
    def warnings(self) -> list[QualityResult]:
        """The results of tests that failed and did not stop the build."""
        return [result for result in self.results if not result.is_success]


class ModelsAsTasks(PrefectDbtRunner):
    """PrefectDbtRunner that shows models and snapshots as tasks of the flow, and tests only when they fail.

    Each node that is a task costs about 0.2 CPU-seconds; two thirds of the nodes are tests, and a test
    that passes says nothing. Failed ones are named by the DataFailure.
    """

    def invoke(self, args: list[str], **kwargs: Any) -> Any:
        """Run dbt with the settings of the flow's thread; returns dbt's outcome."""
        self._settings_context = dict(get_settings_context())
        return super().invoke(args, **kwargs)

    def _call_task(
        self, task_state: Any, manifest_node: Any, context: dict[str, Any], enable_assets: bool
    ) -> None:
        # The tasks are threads of this process and share its settings. From `context` alone Prefect would
        # read them anew from every possible place, twice per task.
        shared = context | {"settings_context": self._settings_context}
        super()._call_task(task_state, manifest_node, shared, enable_assets)

    def _get_manifest_node_and_config(self, node_id: str) -> tuple[Any, dict[str, Any]]:
        if node_id.startswith("test."):
            return None, {}
        return super()._get_manifest_node_and_config(node_id)


def build_marts(
    warehouse: Warehouse,
    ds: str,
    settings: Settings,
    full_refresh: bool = False,
    topic: str | None = None,
    decisions: Decisions | None = None,
) -> Built:
    """Run `dbt build` on the staged warehouse; returns the built models and the tests' results.

    Does nothing if the marts were built from the same loads, for the same day, by the same project. With a
    `topic`, the models of that tag only; nothing before the others have been built once. Not a task: the
    runner makes dbt's models tasks of the calling flow. Raises DataFailure if a test fails, PermanentFailure
    if a model cannot be built.
    """
    write_sources()
    project = _project_fingerprint()
    with warehouse.session() as session:
        inputs, last = _fingerprint(session, ds, project), _last_build(session)
    if topic and last is None:
        get_run_logger().info("the %s marts need those of the daily run, which has not run yet", topic)
        return Built()
    if not full_refresh and not topic and last and inputs == last["fingerprint"]:
        get_run_logger().info("the marts are up to date: nothing to build")
        return Built()
    variables = {
        "lead_time_days": settings.lead_time_days,
        "safety_stock_days": settings.safety_stock_days,
    }
    # Unit tests check the code, not the data: `make test` runs them.
    command = ["build", "--exclude-resource-type", "unit_test", "--vars", json.dumps(variables)]
    if topic:
        command += ["--select", f"tag:{topic}"]
    if full_refresh:
        command.append("--full-refresh")
    # Tests of these names alone: a model of the name is built.
    excluded = [f"{name},resource_type:test" for name in (decisions.accept_failed if decisions else ())]
    if not full_refresh and not topic and last and last.get("project") == project:
        # The views are as they would be made again. Their tests run: without `empty` they would go, too.
        excluded.append("resource_type:model,config.materialized:view")
        command += ["--indirect-selection", "empty"]
    if excluded:
        command += ["--exclude", *excluded]
    runner_settings = PrefectDbtSettings(
        project_dir=PROJECT,
        profiles_dir=PROJECT,
        target_path=settings.dbt_target_path.absolute(),
        log_level=EventLevel.WARN,
    )
    with dbt_environment(warehouse, settings, {"DBT_AS_OF": ds}):
        outcome = ModelsAsTasks(settings=runner_settings, raise_on_failure=False).invoke(command)
    if outcome.exception:
        raise PermanentFailure(f"dbt could not run: {outcome.exception}")
    # The inventory flow takes no decisions: its next run tries again.
    flow = None if topic else "rebuild" if full_refresh else "daily"
    built = _built(outcome.result.results, flow, ds)
    if topic:
        return built
    with warehouse.session() as session:
        session.execute(
            "create or replace table ops.last_build as "
            f"select '{inputs}' as fingerprint, '{project}' as project"
        )
    return built


def _fingerprint(session: Session, ds: str, project: str) -> str:
    """A hash of everything that a build depends on: the loads, the day, the project."""
    loads = session.rows(
        "select table_name, lake_table, lake_version from ops.loads order by table_name"
    ).read_all()
    return hashlib.sha256(repr((loads.to_pylist(), ds, project)).encode()).hexdigest()


def _project_fingerprint() -> str:
    """A hash of the project's files."""
    digest = hashlib.sha256()
    sources = (PROJECT.glob("*.yml"), *(PROJECT.glob(f"{folder}/**/*.*") for folder in SOURCE_FOLDERS))
    for file in sorted(itertools.chain(*sources)):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _last_build(session: Session) -> dict[str, str] | None:
    """The fingerprints of the last build's inputs and project; None before the first."""
    if not session.has("ops.last_build"):
        return None
    [row] = session.rows("select * from ops.last_build").read_all().to_pylist()
    return row


def _built(results: list, flow: str | None, ds: str) -> Built:
    errors = [f"{r.node.name}: {r.message}" for r in results if r.status == "error"]
    failures = [f"{r.node.name} ({r.failures} rows)" for r in results if r.status == "fail"]
    if errors:
        raise PermanentFailure("dbt could not build: " + "; ".join(errors))
    if failures:
        accept = [f"--accept-failed {r.node.name}" for r in results if r.status == "fail"]
        again = f". To publish all the same, on record: {command(flow, ds, *accept)}" if flow else ""
        raise DataFailure("dbt tests failed: " + "; ".join(failures) + ". Nothing was published" + again)
    return Built(
        models=[each.node.name for each in results if each.node.resource_type == "model"],
        results=[_result(each) for each in results if each.node.resource_type == "test"],
    )


def _result(result: Any) -> QualityResult:
    """The result of a test; one that belongs to no single model has its own name as table_name."""
    node = result.node
    return QualityResult(
        layer="dbt",
        table_name=(getattr(node, "attached_node", None) or node.name).rpartition(".")[2],
        expectation=node.name,
        severity=WARNING if node.config.severity.lower() == "warn" else CRITICAL,
        is_success=result.status == "pass",
        observed=f"{result.failures} rows",
        consequence=node.config.meta.get("consequence"),
    )


@contextmanager
def dbt_environment(
    warehouse: Warehouse, settings: Settings, more: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Point dbt's profile at `warehouse`, through the environment; close DuckDB's file at the end."""
    variables = {
        **warehouse.dbt_variables(),
        **(more or {}),
        "DBT_LOG_PATH": str(settings.dbt_target_path.absolute() / "logs"),
    }
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        # DuckDB's adapter keeps the file open for the process's life; the publish renames it.
        DuckDBConnectionManager.close_all_connections()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
