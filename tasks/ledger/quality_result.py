"""The result of one expectation, as runs pass it on and as the ledger keeps it."""

import datetime as dt

from pydantic import BaseModel

from lake.delta import Lake
from tasks.ledger.records import append_records


class QualityResult(BaseModel):
    """The result of one expectation, or of one dbt test. `samples` are keys of unexpected rows."""

    layer: str
    table_name: str
    expectation: str
    severity: str
    is_success: bool
    rows_checked: int | None = None
    rows_unexpected: int | None = None
    observed: str | None = None
    samples: str | None = None
    consequence: str | None = None

    @property
    def trouble(self) -> str:
        """The name of what is wrong if it fails, whatever the rows and the run."""
        return f"{self.layer} {self.table_name}: {self.expectation}"

    def __str__(self) -> str:
        seen = f"{self.rows_unexpected} of {self.rows_checked} rows" if self.rows_checked else self.observed
        samples = f", e.g. {self.samples}" if self.samples else ""
        return f"{self.table_name}: {self.expectation}: {seen}{samples}: {self.consequence}"


def record_results(lake: Lake, results: list[QualityResult], ds: dt.date, run_id: str) -> None:
    """Append results to the run ledger, passed or not."""
    append_records(
        lake, "quality_results", [{"run_id": run_id, "ds": ds, **each.model_dump()} for each in results]
    )
