"""A suite: the expectations of one table in one layer, each with a severity, made for one run.

- critical: a failure stops everything downstream
- warning: a failure is recorded, and people are notified
- info: a failure is recorded

Suites validate values; spark_jobs enforces shape, dbt tests relations and money identities.
"""

from collections.abc import Callable
from dataclasses import dataclass

import great_expectations.expectations as gxe

CRITICAL, WARNING, INFO = "critical", "warning", "info"


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of one run: the share of rows, 0 to 1, that may be rejected; the usual number of rows."""

    quarantine_threshold: float
    usual_rows: tuple[int, int] | None = None
    """Lowest and highest usual number of rows; None while history is short."""
    batch_rows: int | None = None
    """Number of rows to validate; None if they were not counted: then every share is validated."""


@dataclass(frozen=True)
class Suite:
    """The expectations of one table. `key` names the columns shown as samples of unexpected rows."""

    name: str
    key: list[str]
    expectations: Callable[[Thresholds], list[gxe.Expectation]]
    topic: str = "sales"
    """The mart's subject. The daily gate validates `sales` only: stock also changes between daily runs."""


def accepted(thresholds: Thresholds) -> gxe.Expectation:
    """Critical: the row rules reject at most the threshold's share of a bronze batch."""
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
    """Info: a row rule. The rows that break it are in quarantine; this counts them."""
    return expectation(
        severity=INFO,
        meta={"consequence": "these rows are in quarantine, not in the figures"},
        **arguments,
    )
