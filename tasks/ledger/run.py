"""One run of a flow: the results of its steps so far, and its outcome."""

import datetime as dt
from collections import Counter

from pydantic import Field

from lake.row_counts import Extracted, Flagged, RowCounts
from tasks.ledger.quality_result import QualityResult
from tasks.timing import Steps
from tasks.warehouse.interface import Loaded


class Run(Steps):
    """A run and the results of its steps so far; `seconds` are wall seconds per step."""

    run_id: str
    flow: str
    ds: dt.date
    started_at: dt.datetime
    status: str = "running"
    error: str | None = None
    troubles: list[str] = Field(default_factory=list)
    """What has failed it, by names that are the same in every run that the same thing fails."""
    attempt: int = 1
    """Prefect may be told to try a run again, under the same id."""
    overrides: list[str] = Field(default_factory=list)
    """What people have decided about it, each with who and why."""
    duration_seconds: float | None = None
    extracted: list[Extracted] = Field(default_factory=list)
    flagged: list[Flagged] = Field(default_factory=list)
    tables: list[RowCounts] = Field(default_factory=list)
    loaded: Loaded | None = None
    warnings: list[QualityResult] = Field(default_factory=list)
    report_url: str | None = None
    figures: dict[str, str] = Field(default_factory=dict)
    """The day's figures as people read them, by their labels; none without a report."""

    @property
    def rows_in(self) -> int:
        """Rows that came in, over all tables."""
        return sum(table.rows_in for table in self.tables)

    @property
    def notes(self) -> list[str]:
        """Warnings, as sentences: everything that people should know and that did not stop the run."""
        extracts = [text for each in self.extracted for text in each.warnings]
        # A backfill extracts many days, and a source has one state.
        return list(dict.fromkeys(extracts)) + [str(w) for w in self.warnings] + self.remarks

    @property
    def deleted(self) -> str:
        """Rows that are gone from the shop since the last run, for people: `3 orders, 1 customers`."""
        rows: Counter[str] = Counter()
        for each in self.extracted:
            rows[each.table] += each.deleted
        return ", ".join(f"{number:,} {table}" for table, number in rows.items() if number)

    @property
    def rejected(self) -> list[tuple[str, str, int]]:
        """(table, reason, rows) of what the run rejected."""
        return [(c.table, reason, rows) for c in self.flagged for reason, rows in c.rejected.items()]
