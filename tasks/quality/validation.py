"""The gates: run a Great Expectations suite on a lake table, record every result, stop on critical ones."""

import datetime as dt
import re
from copy import copy
from functools import cache
from typing import Any

import great_expectations as gx
from deltalake import DeltaTable, write_deltalake
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from prefect import task
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from expectations.suite import Suite, Thresholds, usual_size
from lake.catalog import catalog
from lake.delta import Lake, commit
from spark_jobs.tables import read_silver, read_table, row_count
from tasks.ledger.quality_result import QualityResult, record_results
from tasks.ledger.queries import missed_rows, usual_rows
from tasks.quality.reconciliation import order_totals
from tasks.quality.suites import bronze_suite_of, gold_suites, silver_suite_of
from tasks.spark_session import session_of
from tasks.warehouse.interface import Session, Warehouse

SAMPLES = 3
SUMMARY = {"result_format": "SUMMARY", "partial_unexpected_count": SAMPLES}
# The marts of which the gate validates only the rows of the newest published load and newer ones: the others
# passed in the run that changed them.
VALIDATED_BY_LOAD = {"fct_orders"}


@task(task_run_name="gate-bronze-{table}")
def validate_bronze(
    table: str, ds: dt.date, run_id: str, settings: Settings, lake: Lake
) -> list[QualityResult]:
    """Validate `flagged.<table>` by its bronze suite; returns the results, failed ones included."""
    usual = usual_rows(lake, table, ds)
    return _validate_flagged("bronze", "flagged", table, ds, run_id, settings, lake, usual)


@task(task_run_name="gate-bronze-{table}")
def validate_empty(
    table: str, ds: dt.date, run_id: str, settings: Settings, lake: Lake
) -> list[QualityResult]:
    """Validate that a table without new rows usually has none; returns the results: one, if it has some."""
    usual = missed_rows(lake, table, ds)
    if usual is None:
        return []
    suite = Suite(name=table, key=bronze_suite_of(table).key, expectations=usual_size)
    thresholds = Thresholds(settings.quarantine_threshold, usual)
    return _validate(lake, "bronze", suite, thresholds, ds, run_id, _rows(settings, lake, f"flagged.{table}"))


@task(task_run_name="validate-day-{table}")
def validate_day(table: str, ds: dt.date, run_id: str, settings: Settings, lake: Lake) -> list[QualityResult]:
    """Validate `flagged_day.<table>` by its bronze suite, without the usual number; returns the results."""
    return _validate_flagged("bronze", "flagged_day", table, ds, run_id, settings, lake)


@task(task_run_name="gate-rebuild-{table}")
def validate_rebuild(
    table: str, ds: dt.date, run_id: str, settings: Settings, lake: Lake
) -> list[QualityResult]:
    """Validate `flagged.<table>`, all of bronze, by its bronze suite, without the usual number of rows.

    Returns the results, failed ones included.
    """
    # A layer of its own: under `bronze`, years of rows would count in the score of day `ds`.
    return _validate_flagged("rebuild", "flagged", table, ds, run_id, settings, lake)


@task(task_run_name="validate-silver-{table}")
def validate_silver(
    table: str, ds: dt.date, run_id: str, settings: Settings, lake: Lake
) -> list[QualityResult]:
    """Validate `silver.<table>` by its suite, of events those of day `ds`; returns the results.

    No results if there is no such table.
    """
    if lake.table(f"silver.{table}") is None:
        return []
    rows = read_silver(session_of(settings), lake, catalog()[table])
    if catalog()[table].is_event:
        rows = rows.where(F.col("event_date") == F.lit(ds))
    return _validate(
        lake, "silver", silver_suite_of(table), Thresholds(settings.quarantine_threshold), ds, run_id, rows
    )


@task(task_run_name="gate-gold-{table}")
def validate_gold(
    table: str,
    warehouse: Warehouse,
    ds: dt.date,
    run_id: str,
    settings: Settings,
    lake: Lake,
    all_rows: bool = False,
) -> list[QualityResult]:
    """Validate a mart of the staged warehouse by its gold suite; returns the results, failed ones included.

    `all_rows` includes the rows that this run did not change. Raises PermanentFailure if the warehouse has no
    marts.
    """
    with warehouse.session() as session:
        if not session.has(f"{warehouse.gold}.fct_orders"):
            raise PermanentFailure("the warehouse has no marts yet; run daily-ecommerce-pipeline first")
        if table == "order_totals":
            rows = order_totals(session, warehouse.gold, lake)
        else:
            condition = "" if all_rows else _newest_load(session, table)
            rows = session.rows(f"select * from {warehouse.gold}.{table} {condition}")
        # Through the lake, so that any Spark engine can read it and no mart has to fit in memory.
        # Apart from a gate's copies: a daily run may be using them.
        copy = f"gate_all.{table}" if all_rows else f"gate.{table}"
        write_deltalake(
            lake.uri(copy), rows, mode="overwrite", schema_mode="overwrite", commit_properties=commit()
        )
    thresholds = Thresholds(settings.quarantine_threshold, batch_rows=row_count(DeltaTable(lake.uri(copy))))
    return _validate(lake, "gold", gold_suites()[table], thresholds, ds, run_id, _rows(settings, lake, copy))


def _newest_load(session: Session, table: str) -> str:
    """The condition on the rows to validate: `gold` is what readers see, or in DuckDB what they will see."""
    if table not in VALIDATED_BY_LOAD or not session.has(f"gold.{table}"):
        return ""
    return f"where load_id >= (select coalesce(max(load_id), 0) from gold.{table})"


def _validate_flagged(
    layer: str,
    flagged: str,
    table: str,
    ds: dt.date,
    run_id: str,
    settings: Settings,
    lake: Lake,
    usual: tuple[int, int] | None = None,
) -> list[QualityResult]:
    """Validate `<flagged>.<table>` by the table's bronze suite; the results are recorded under `layer`."""
    thresholds = Thresholds(settings.quarantine_threshold, usual)
    rows = _rows(settings, lake, f"{flagged}.{table}")
    return _validate(lake, layer, bronze_suite_of(table), thresholds, ds, run_id, rows)


def _rows(settings: Settings, lake: Lake, name: str) -> DataFrame:
    return read_table(session_of(settings), lake, name)


def _validate(
    lake: Lake, layer: str, suite: Suite, thresholds: Thresholds, ds: dt.date, run_id: str, rows: DataFrame
) -> list[QualityResult]:
    name = f"{layer}.{suite.name}"
    batches, batch = _dataframe_asset(name), {"dataframe": rows}
    expectations = suite.expectations(thresholds)
    validation = expectation_context().validation_definitions.add_or_update(
        gx.ValidationDefinition(
            name=name, data=batches, suite=gx.ExpectationSuite(name=name, expectations=expectations)
        )
    )
    outcome = validation.run(
        batch_parameters=batch, run_id=gx.RunIdentifier(run_name=str(ds)), result_format=SUMMARY
    )
    found = {_describe(each.expectation_config): each for each in outcome.results}
    failed = [each for each in expectations if not found[_describe(each.configuration)].success]
    if failed:
        # The keys of unexpected rows are asked for where there are some: that takes a query for each
        # expectation, a quarter of a gate's time.
        again = batches.get_batch(batch).validate(
            gx.ExpectationSuite(name=name, expectations=[copy(each) for each in failed]),
            result_format=SUMMARY | {"unexpected_index_column_names": suite.key},
        )
        found |= {_describe(each.expectation_config): each for each in again.results}
    results = [_result(layer, suite, each) for each in found.values()]
    record_results(lake, results, ds, run_id)
    return results


@cache
def expectation_context() -> Any:
    """Great Expectations' context of this process: suites and results, in memory."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    return context


@cache
def _dataframe_asset(name: str) -> Any:
    source = expectation_context().data_sources.add_spark(name)
    return source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")


def _result(layer: str, suite: Suite, outcome: ExpectationValidationResult) -> QualityResult:
    config, result = outcome.expectation_config, outcome.result
    _raise_broken(suite, outcome)
    samples = [
        "/".join(str(row[column]) for column in suite.key if column in row)
        for row in (result.get("partial_unexpected_index_list") or [])[:SAMPLES]
    ]
    return QualityResult(
        layer=layer,
        table_name=suite.name,
        expectation=_describe(config),
        severity=str(config.severity.value),
        is_success=bool(outcome.success),
        rows_checked=result.get("element_count"),
        rows_unexpected=result.get("unexpected_count"),
        observed=str(result["observed_value"]) if "observed_value" in result else None,
        samples=", ".join(samples) or None,
        consequence=(config.meta or {}).get("consequence"),
    )


def _raise_broken(suite: Suite, outcome: ExpectationValidationResult) -> None:
    """Raise RuntimeError if an expectation could not be computed: it has not passed, its suite has a bug."""
    for info in outcome.exception_info.values():
        if isinstance(info, dict) and info.get("raised_exception"):
            raise RuntimeError(f"suite {suite.name} could not be computed: {info['exception_message']}")


def _describe(expectation: ExpectationConfiguration) -> str:
    """An expectation in few words, unique in its suite: `amount to be between(min_value=0)`."""
    if expectation.description:
        return expectation.description
    shown = {
        name: value for name, value in expectation.kwargs.items() if name not in ("batch_id", "ignore_row_if")
    }
    subject = str(shown.pop("column", None) or "table")
    words = re.sub("^expect_(column_values_|table_)?", "", expectation.type).replace("_", " ")
    details = ", ".join(f"{name}={value}" for name, value in shown.items() if value is not None)
    return f"{subject} {words}" + (f" ({details})" if details else "")
