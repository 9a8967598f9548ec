"""Every suite: rows that pass it, rows that fail each expectation, and what all expectations must carry."""

from typing import Any

import pytest
import yaml

from blocks.settings.environment import REPOSITORY
from expectations.suite import CRITICAL, INFO, WARNING, Suite, Thresholds
from lake.catalog import catalog, shop_tables, spark_tables
from spark_jobs.silver.job import AUDIT_COLUMNS
from tasks.ledger.quality_result import QualityResult
from tasks.quality.suites import bronze_suite_of, gold_suites, silver_suite_of
from tasks.quality.validation import _describe
from tests.support.bronze_samples import BRONZE
from tests.support.gold_samples import GOLD
from tests.support.samples import Case
from tests.support.silver_samples import SILVER


def by_layer(bronze: dict[str, Any], silver: dict[str, Any], gold: dict[str, Any]) -> dict[str, Any]:
    """By `<layer>.<table>`: some tables have a suite in more than one layer."""
    layers = {"bronze": bronze, "silver": silver, "gold": gold}
    return {f"{layer}.{name}": one for layer, tables in layers.items() for name, one in tables.items()}


BRONZE_SUITES = {table: bronze_suite_of(table) for table in spark_tables()}
SILVER_SUITES = {table: silver_suite_of(table) for table in catalog()}
GOLD_SUITES = gold_suites()
SUITES = by_layer(BRONZE_SUITES, SILVER_SUITES, GOLD_SUITES)
SAMPLES = by_layer(BRONZE, SILVER, GOLD)
CASES = [
    pytest.param(name, case, id=f"{name}: {what}")
    for name in SAMPLES
    for what, case in SAMPLES[name].cases.items()
]
ALL_ON = Thresholds(0.05, usual_rows=(10, 30))


def failed(results: list[QualityResult]) -> list[str]:
    return [result.expectation for result in results if not result.is_success]


def test_every_suite_has_samples() -> None:
    assert sorted(SAMPLES) == sorted(SUITES)


@pytest.mark.parametrize("name", SUITES)
def test_good_rows_pass(validate: Any, name: str) -> None:
    sample = SAMPLES[name]
    results = validate(SUITES[name], sample.rows(), sample.schema, ALL_ON)
    assert (len(results), failed(results)) == (len(SUITES[name].expectations(ALL_ON)), [])


@pytest.mark.parametrize(("name", "case"), CASES)
def test_a_fault_fails_its_expectation_and_no_other(validate: Any, name: str, case: Case) -> None:
    sample = SAMPLES[name]
    rows = sample.rows()
    case.change(rows)
    found = failed(validate(SUITES[name], rows, sample.schema, case.thresholds))
    assert len(found) == len(case.fails), found
    assert all(any(part in expectation for expectation in found) for part in case.fails), found


@pytest.mark.parametrize("name", SUITES)
def test_every_expectation_has_a_case_that_fails_it(name: str) -> None:
    """By the printed form, the only place where two expectations on one column differ."""
    printed = [_describe(each.configuration) for each in SUITES[name].expectations(ALL_ON)]
    parts = [part for case in SAMPLES[name].cases.values() for part in case.fails]
    assert printed
    assert len(set(printed)) == len(printed)
    assert [text for text in printed if not any(part in text for part in parts)] == []


@pytest.mark.parametrize("name", SUITES)
def test_every_expectation_carries_severity_and_consequence(name: str) -> None:
    for each in SUITES[name].expectations(ALL_ON):
        assert each.severity in (CRITICAL, WARNING, INFO)
        assert len(each.meta["consequence"]) > 10
    assert SUITES[name].name == name.partition(".")[2]
    assert SUITES[name].key


def columns_of(suite: Suite) -> set[str]:
    """Every column that a suite's expectations name, and its key."""
    names = set(suite.key)
    for each in suite.expectations(ALL_ON):
        arguments = each.configuration.kwargs
        names |= {arguments[name] for name in ("column", "column_A", "column_B") if name in arguments}
        names |= set(arguments.get("column_list", []))
    return names


@pytest.mark.parametrize("name", BRONZE_SUITES)
def test_a_bronze_suite_names_columns_of_its_job(name: str) -> None:
    assert columns_of(BRONZE_SUITES[name]) <= {*catalog()[name].silver_schema.names, *AUDIT_COLUMNS}


@pytest.mark.parametrize("name", SILVER_SUITES)
def test_a_silver_suite_names_columns_of_its_table(name: str) -> None:
    columns = catalog()[name].schema.names
    assert columns_of(SILVER_SUITES[name]) <= set(columns)
    assert ("event_date" in columns) == catalog()[name].is_event


@pytest.mark.parametrize("name", sorted(set(GOLD_SUITES) - {"order_totals"}))
def test_a_gold_suite_names_columns_of_its_mart(name: str) -> None:
    described = yaml.safe_load((REPOSITORY / f"dbt/models/marts/{name}.yml").read_text())["models"]
    columns = {column["name"] for model in described if model["name"] == name for column in model["columns"]}
    assert columns_of(GOLD_SUITES[name]) <= columns


def test_there_is_a_suite_for_every_table_that_is_extracted() -> None:
    assert set(BRONZE_SUITES) == {*shop_tables(), "clickstream"}
    assert set(SILVER_SUITES) == {*BRONZE_SUITES, "inventory"}


@pytest.mark.parametrize(
    ("rows", "rejected", "passes"),
    [
        pytest.param(100, 4, True, id="below"),
        pytest.param(100, 5, True, id="at the threshold"),
        pytest.param(100, 6, False, id="above"),
        pytest.param(10_000, 500, True, id="at the threshold, many rows"),
        pytest.param(10_000, 501, False, id="one row above, many rows"),
        pytest.param(1, 1, False, id="the only row"),
    ],
)
def test_the_quarantine_threshold_is_five_percent(
    validate: Any, rows: int, rejected: int, passes: bool
) -> None:
    sample = BRONZE["clickstream"]
    row = sample.rows()[0]
    table = [
        row | {"reject_reason": "line_is_event" if number < rejected else None} for number in range(rows)
    ]
    (accepted, *_) = validate(BRONZE_SUITES["clickstream"], table, sample.schema, Thresholds(0.05))
    assert (accepted.severity, accepted.is_success, accepted.rows_unexpected) == (CRITICAL, passes, rejected)


@pytest.mark.parametrize(
    ("rows", "unknown", "stops"),
    [
        pytest.param(4, 1, False, id="one of a handful"),
        pytest.param(99, 50, False, id="too few rows to say"),
        pytest.param(100, 10, False, id="a tenth"),
        pytest.param(100, 11, True, id="over a tenth of enough"),
    ],
)
def test_a_share_of_unknown_customers_is_critical_only_in_enough_rows(
    validate: Any, rows: int, unknown: int, stops: bool
) -> None:
    sample = SAMPLES["gold.fct_orders"]
    row = sample.rows()[0]
    table = [row | {"order_id": n, "is_unknown_customer": n < unknown} for n in range(rows)]
    results = validate(SUITES["gold.fct_orders"], table, sample.schema, Thresholds(0.05, batch_rows=rows))
    assert {each.severity for each in results if not each.is_success} == {
        WARNING,
        *([CRITICAL] if stops else []),
    }


def test_without_history_nothing_is_said_about_the_number_of_rows() -> None:
    for suite in BRONZE_SUITES.values():
        assert len(suite.expectations(Thresholds(0.05))) == len(suite.expectations(ALL_ON)) - 1
