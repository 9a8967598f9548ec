"""The gates as tasks: what a failure says, what is recorded, and that a broken suite never passes."""

from typing import Any

import great_expectations.expectations as gxe
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from blocks.settings.failures import DataFailure
from expectations.suite import CRITICAL, INFO, WARNING, Suite, Thresholds
from tasks.ledger.quality_result import QualityResult
from tasks.quality import validation as quality
from tasks.quality.gate import stop_on_critical
from tasks.quality.validation import validate_bronze, validate_silver
from tests.support.flagged_rows import write_flagged
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY, at, customer


def recorded(platform: Platform) -> list[dict[str, Any]]:
    return platform.lake.table("ops.quality_results").to_pyarrow_table().to_pylist()


def test_a_failing_gate_names_table_rule_count_and_three_keys(platform: Platform) -> None:
    write_flagged(platform, rejected=7, valid=13)
    with pytest.raises(DataFailure) as failure:
        stop_on_critical.fn(validate_bronze.fn("orders", DAY, "run-1", *here()))
    sentence = str(failure.value)
    assert "orders: reject_reason to be null (mostly=0.95): 7 of 20 rows" in sentence
    keys = sentence.split("e.g. ")[1].split(":")[0].split(", ")
    assert len(keys) == 3
    assert {int(key) for key in keys} <= set(range(1, 8))
    assert "the day's figures would mislead" in sentence
    assert "nothing was published" in sentence


def test_a_passing_gate_returns_the_warnings_only(platform: Platform) -> None:
    write_flagged(platform, rejected=1, valid=20)
    assert stop_on_critical.fn(validate_bronze.fn("orders", DAY, "run-1", *here())) == []


def result(severity: str, is_success: bool) -> QualityResult:
    return QualityResult(
        layer="bronze", table_name="orders", expectation="e", severity=severity, is_success=is_success
    )


@pytest.mark.parametrize(
    ("outcomes", "stops", "warnings"),
    [
        pytest.param([(CRITICAL, True), (WARNING, True)], False, 0, id="all well"),
        pytest.param([(CRITICAL, True), (WARNING, False)], False, 1, id="a warning"),
        pytest.param([(INFO, False)], False, 0, id="a row rule: it is in quarantine already"),
        pytest.param([(CRITICAL, False)], True, 0, id="critical"),
        pytest.param(
            [(WARNING, False), (CRITICAL, False), (CRITICAL, True)], True, 0, id="critical among others"
        ),
        pytest.param([], False, 0, id="nothing was validated"),
    ],
)
def test_only_critical_failures_stop(outcomes: list[tuple[str, bool]], stops: bool, warnings: int) -> None:
    results = [result(*outcome) for outcome in outcomes]
    if stops:
        with pytest.raises(DataFailure):
            stop_on_critical.fn(results)
    else:
        assert len(stop_on_critical.fn(results)) == warnings


def test_every_result_is_recorded_passed_or_not(platform: Platform) -> None:
    write_flagged(platform, rejected=2, valid=18)
    results = validate_bronze.fn("orders", DAY, "run-1", *here())
    rows = recorded(platform)
    assert {(row["run_id"], row["ds"], row["layer"], row["table_name"]) for row in rows} == {
        ("run-1", DAY, "bronze", "orders")
    }
    assert sorted((row["expectation"], row["is_success"]) for row in rows) == sorted(
        (each.expectation, each.is_success) for each in results
    )
    (rejects,) = [row for row in rows if row["expectation"].startswith("reject_reason")]
    assert (rejects["rows_checked"], rejects["rows_unexpected"], rejects["severity"]) == (20, 2, CRITICAL)


def test_of_events_the_days_are_validated_and_of_the_rest_all(platform: Platform) -> None:
    assert validate_silver.fn("clickstream", DAY, "run-1", *here()) == []
    event = {"event_id": "e", "user_id": "1", "event_at": at(DAY)}
    days = [event | {"event_date": day} for day in (DAY, NEXT_DAY, NEXT_DAY)]
    write_deltalake(platform.lake.uri("silver.clickstream"), pa.Table.from_pylist(days))
    assert [
        each for each in validate_silver.fn("clickstream", DAY, "run-1", *here()) if not each.is_success
    ] == []
    (twice,) = [
        each for each in validate_silver.fn("clickstream", NEXT_DAY, "run-1", *here()) if not each.is_success
    ]
    assert (twice.layer, twice.observed, twice.samples) == ("silver", "1 more than once", "e")
    assert str(twice).startswith("clickstream: event_id to be unique: 1 more than once, e.g. e: ")

    customers = pa.Table.from_pylist([customer(1), customer(1)])
    write_deltalake(platform.lake.uri("silver.customers"), customers)
    results = validate_silver.fn("customers", DAY, "run-1", *here())
    assert [each.expectation for each in results if not each.is_success] == ["customer_id to be unique"]


@pytest.mark.parametrize(
    "expectation",
    [
        pytest.param(
            gxe.ExpectColumnValuesToNotBeNull(column="no_such_column", severity=CRITICAL),
            id="a column that is not there",
        ),
        pytest.param(
            gxe.ExpectColumnValuesToBeBetween(column="status", min_value=0, severity=WARNING),
            id="text held against a number",
        ),
    ],
)
def test_an_expectation_that_cannot_be_computed_is_an_error(
    platform: Platform, expectation: gxe.Expectation
) -> None:
    write_flagged(platform, rejected=0, valid=2)
    suite = Suite(name="orders", key=["order_id"], expectations=lambda thresholds: [expectation])
    with pytest.raises(RuntimeError, match="suite orders could not be computed"):
        rows = quality._rows(*here(), "flagged.orders")
        quality._validate(platform.lake, "bronze", suite, Thresholds(0.05), DAY, "run-1", rows)
    assert platform.lake.table("ops.quality_results") is None
