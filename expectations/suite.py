"""What a suite is: a table's expectations, each with a severity, built for one run.

A critical failure stops everything downstream; a warning is recorded and told; info is recorded. Values
are judged here, shape in spark_jobs, relations and money identities in dbt.
"""

from collections.abc import Callable
from dataclasses import dataclass

import great_expectations.expectations as gxe

CRITICAL, WARNING, INFO = "critical", "warning", "info"


@dataclass(frozen=True)
class Thresholds:
    """What a run is held against: the share of rows that may be rejected, the usual number of rows."""

    quarantine_threshold: float
    usual_rows: tuple[int, int] | None = None
    """Lowest and highest number of rows that would surprise nobody; None while history is short."""
    batch_rows: int | None = None
    """Number of rows to be judged; None where it was not counted: then every share is judged."""


@dataclass(frozen=True)
class Suite:
    """The expectations of one table. `key` names the columns shown as samples of unexpected rows."""

    name: str
    key: list[str]
    expectations: Callable[[Thresholds], list[gxe.Expectation]]
    topic: str = "sales"
    """What the mart is about. The daily gate judges `sales`; stock changes between daily runs, too."""


def accepted(thresholds: Thresholds) -> gxe.Expectation:
    """Critical: no more than the threshold's share of a bronze batch is rejected by the row rules."""
    return gxe.ExpectColumnValuesToBeNull(
        column="reject_reason",
        mostly=1 - thresholds.quarantine_threshold,
        severity=CRITICAL,
        meta={"consequence": "so many rows are rejected that the day's figures would mislead"},
    )


def usual_size(thresholds: Thresholds) -> list[gxe.Expectation]:
    """Warning: the batch has about as many rows as the batches of recent runs."""
    if thresholds.usual_rows is None:
        return []
    low, high = thresholds.usual_rows
    return [
        gxe.ExpectTableRowCountToBeBetween(
            min_value=low,
            max_value=high,
            severity=WARNING,
            meta={"consequence": "the source may have delivered only a part, or something twice"},
        )
    ]


def quarantined(expectation: type[gxe.Expectation], **arguments: object) -> gxe.Expectation:
    """Info: a row rule. The rows that break it go to quarantine, where they are listed; this counts them."""
    return expectation(
        severity=INFO,
        meta={"consequence": "these rows are in quarantine, not in the figures"},
        **arguments,
    )


def one_per_key(column: str, consequence: str) -> list[gxe.Expectation]:
    """Critical: every row has a value in `column`, and no two the same."""
    meta = {"consequence": consequence}
    return [
        gxe.ExpectColumnValuesToNotBeNull(column=column, severity=CRITICAL, meta=meta),
        gxe.ExpectColumnValuesToBeUnique(column=column, severity=CRITICAL, meta=meta),
    ]
