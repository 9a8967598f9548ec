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
from prefect.logging import get_run_logger
from prefect_dbt import PrefectDbtSettings
from pydantic import BaseModel

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import DataFailure, PermanentFailure
from blocks.settings.settings import Settings
from expectations.suite import CRITICAL, WARNING
from lake.catalog import catalog
from tasks.ingest.decisions import Decisions, command
from tasks.ledger.quality_result import QualityResult
from tasks.reorder.policy_table import WAREHOUSE_NAME
from tasks.transform.dbt_runner import ModelsAsTasks
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
    variables = _variables(settings)
    arguments, environment = ["build"], {"DBT_AS_OF": ds}
    # Tests of these names alone: a model of the name is built.
    excluded = [f"{name},resource_type:test" for name in (decisions.accept_failed if decisions else ())]
    with warehouse.session() as session:
        last = _last_build(session)
        if topic and last is None:
            get_run_logger().info("the %s marts need those of the daily run, which has not run yet", topic)
            return Built()
        inputs = _inputs(session, ds, variables)
        has_views = _project_of_views(session) == inputs.project
        if not has_views:
            # Not known before a build has made them all: in the cloud, views outlive a run that fails.
            session.execute("drop table if exists ops.project_of_views")
    is_continued = last and last.project == inputs.project and has_views and not full_refresh
    continued = last if is_continued else None
    if topic:
        arguments += ["--select", f"tag:{topic}"]
    elif full_refresh:
        arguments.append("--full-refresh")
    elif last == inputs:
        get_run_logger().info("the marts are up to date: nothing to build")
        return Built()
    elif continued:
        arguments += ["--select", *continued.stale(inputs), "--indirect-selection", "empty"]
    if continued:
        environment["DBT_TESTED_LOAD"] = str(continued.newest_load)
        # Of the project as it was, the views are as they would be made again.
        excluded.append("resource_type:model,config.materialized:view")
    if excluded:
        arguments += ["--exclude", *excluded]
    results = _run(arguments, warehouse, settings, environment)
    # The inventory flow takes no decisions: its next run tries again.
    flow = None if topic else "rebuild" if full_refresh else "daily"
    built = _built(results, flow, ds)
    if topic:
        return built
    with warehouse.session() as session:
        session.execute(f"create or replace table ops.last_build as select '{inputs.as_text}' as inputs")
        session.execute(
            f"create or replace table ops.project_of_views as select '{inputs.project}' as project"
        )
    return built


def validate_marts(warehouse: Warehouse, ds: str, settings: Settings) -> list[QualityResult]:
    """Run all of dbt's tests, on all rows of the marts that people read; returns their results.

    A daily run tests what has changed. Raises PermanentFailure if a test cannot be run.
    """
    write_sources()
    results = _run(["test"], warehouse, settings, {"DBT_AS_OF": ds})
    _raise_errors(results)
    return [_result(each) for each in results]


def _run(
    arguments: list[str], warehouse: Warehouse, settings: Settings, environment: Mapping[str, str]
) -> list[Any]:
    """Run a command of dbt on the warehouse; returns dbt's result of each node. Raises PermanentFailure."""
    runner_settings = PrefectDbtSettings(
        project_dir=PROJECT,
        profiles_dir=PROJECT,
        target_path=settings.dbt_target_path.absolute(),
        log_level=EventLevel.WARN,
    )
    # Unit tests check the code, not the data: `make test` runs them.
    always = ["--exclude-resource-type", "unit_test", "--vars", json.dumps(_variables(settings))]
    with dbt_environment(warehouse, settings, environment):
        # The open-source server keeps events of assets, and shows none.
        runner = ModelsAsTasks(settings=runner_settings, raise_on_failure=False, disable_assets=True)
        outcome = runner.invoke([*arguments, *always])
    if outcome.exception:
        raise PermanentFailure(f"dbt could not run: {outcome.exception}")
    return outcome.result.results


def _variables(settings: Settings) -> dict[str, float]:
    return {
        "lead_time_days": settings.lead_time_days,
        "safety_stock_days": settings.safety_stock_days,
        "order_cycle_days": settings.order_cycle_days,
    }


class Inputs(BaseModel):
    """Everything that a build depends on."""

    ds: str
    project: str
    """A hash of the project's files and variables."""
    loads: dict[str, str]
    """Of each source of dbt, as it names them, its newest load that changed rows, and its number of rows."""

    @property
    def as_text(self) -> str:
        """For a SQL text; it holds no quotes of SQL's."""
        return self.model_dump_json()

    @property
    def newest_load(self) -> int:
        """The newest load whose rows have been built and tested."""
        return max(int(load.split("/")[0]) for load in self.loads.values())

    def stale(self, now: "Inputs") -> list[str]:
        """What can differ from a build of these inputs, as dbt's selectors: what comes from changed loads.

        Recency changes without a load: time goes on.
        """
        changed = [table for table, load in now.loads.items() if self.loads.get(table) != load]
        return [*(f"source:{table}+" for table in changed), "test_name:recency"]


def _inputs(session: Session, ds: str, variables: dict[str, float]) -> Inputs:
    digest = hashlib.sha256(json.dumps(variables).encode())
    sources = (PROJECT.glob("*.yml"), *(PROJECT.glob(f"{folder}/**/*.*") for folder in SOURCE_FOLDERS))
    for file in sorted(itertools.chain(*sources)):
        digest.update(file.read_bytes())
    # Asked of the tables themselves: a run that died after its load has left no other word of it.
    loads = session.rows(
        " union all ".join(
            f"select '{table}' as name, coalesce(max(load_id), 0) as newest, count(*) as total from {table}"
            for table in (*(f"silver.{name}" for name in catalog()), WAREHOUSE_NAME)
        )
    )
    return Inputs(
        ds=ds,
        project=digest.hexdigest(),
        loads={each["name"]: f"{each['newest']}/{each['total']}" for each in loads.read_all().to_pylist()},
    )


def _last_build(session: Session) -> Inputs | None:
    """The inputs of the last build; None before the first, or if an older pipeline made it."""
    if "inputs" not in session.columns("ops.last_build"):
        return None
    [row] = session.rows("select inputs from ops.last_build").read_all().to_pylist()
    return Inputs.model_validate_json(row["inputs"])


def _project_of_views(session: Session) -> str | None:
    """The project that has made the views; None if it is not known."""
    if not session.has("ops.project_of_views"):
        return None
    [row] = session.rows("select project from ops.project_of_views").read_all().to_pylist()
    return row["project"]


def _built(results: list, flow: str | None, ds: str) -> Built:
    _raise_errors(results)
    failures = [f"{r.node.name} ({r.failures} rows)" for r in results if r.status == "fail"]
    if failures:
        accept = [f"--accept-failed {r.node.name}" for r in results if r.status == "fail"]
        again = f". To publish all the same, on record: {command(flow, ds, *accept)}" if flow else ""
        troubles = tuple(_result(each).trouble for each in results if each.status == "fail")
        message = "dbt tests failed: " + "; ".join(failures) + ". Nothing was published" + again
        raise DataFailure(message, troubles)
    return Built(
        models=[each.node.name for each in results if each.node.resource_type == "model"],
        results=[_result(each) for each in results if each.node.resource_type == "test"],
    )


def _raise_errors(results: list[Any]) -> None:
    errors = [f"{r.node.name}: {r.message}" for r in results if r.status == "error"]
    if errors:
        raise PermanentFailure("dbt could not build: " + "; ".join(errors))


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
