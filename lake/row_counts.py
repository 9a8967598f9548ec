"""What the steps of a run did, in rows. Counts only: no step hands rows to the next."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Extracted:
    """What an extract added to bronze, in rows, and what the reader of the log should know."""

    table: str
    rows: int
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Flagged:
    """Bronze rows that have been flagged, and the version of bronze that they go up to."""

    table: str
    bronze_version: int
    rows_in: int
    rejected: dict[str, int]
    """Rows per reject reason."""


@dataclass(frozen=True)
class RowCounts:
    """What became of the rows that came to a silver table: rows_in = rows_out + duplicates + quarantined."""

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
