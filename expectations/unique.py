"""Uniqueness of a key, as a query that groups.

Great Expectations' own expectations of uniqueness give each row the number of rows like it, by a window: of 5
million rows that takes 1.7 GB, and seven times as long.
"""

from typing import Any, ClassVar

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL


class ExpectKeyToBeUnique(gxe.UnexpectedRowsExpectation):
    """No two rows have the same key; the query's answer is the keys that some have."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> dict[str, Any]:
        # At most 200: Great Expectations fetches no more.
        repeated = metrics["unexpected_rows_query.table"]
        observed = f"{len(repeated)} more than once"
        return {
            "success": not repeated,
            "result": {"observed_value": observed, "partial_unexpected_index_list": repeated},
        }


def unique_key(columns: list[str], consequence: str) -> gxe.Expectation:
    """Critical: no two rows have the same values in `columns`; rows without the first are left out."""
    names = ", ".join(f"`{name}`" for name in columns)
    return ExpectKeyToBeUnique(
        description=f"{', '.join(columns)} to be unique",
        unexpected_rows_query=(
            f"select {names} from {{batch}} where `{columns[0]}` is not null"
            f" group by {names} having count(*) > 1"
        ),
        severity=CRITICAL,
        meta={"consequence": consequence},
    )


def one_per_key(column: str, consequence: str) -> list[gxe.Expectation]:
    """Critical: every row has a value in `column`, and no two the same."""
    return [
        gxe.ExpectColumnValuesToNotBeNull(
            column=column, severity=CRITICAL, meta={"consequence": consequence}
        ),
        unique_key([column], consequence),
    ]
