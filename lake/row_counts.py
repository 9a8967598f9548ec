"""Row counts of a run's steps. Counts only: no step passes rows to the next."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Extracted:
    """Number of rows that an extract added to bronze, deletes that it noticed, and warnings for people."""

    table: str
    rows: int
    deleted: int = 0
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Flagged:
    """Number of bronze rows that were flagged, and the version of bronze up to which they were."""

    table: str
    bronze_version: int
    rows_in: int
    rejected: dict[str, int]
    """Rows per reject reason."""


@dataclass(frozen=True)
class RowCounts:
    """Outcome of a silver table's incoming rows: rows_in = rows_out + duplicates + quarantined."""

    table: str
    rows_in: int = 0
    rows_out: int = 0
    duplicates: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """Rows per reject reason."""

    @property
    def quarantined(self) -> int:
        """Rows that broke a rule, over all reasons."""
        return sum(self.rejected.values())

    def __add__(self, other: "RowCounts") -> "RowCounts":
        return RowCounts(
            table=self.table,
            rows_in=self.rows_in + other.rows_in,
            rows_out=self.rows_out + other.rows_out,
            duplicates=self.duplicates + other.duplicates,
            rejected=dict(Counter(self.rejected) + Counter(other.rejected)),
        )
