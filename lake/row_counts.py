"""What the steps of a run did, in rows. Counts only: no step hands rows to the next."""

from dataclasses import dataclass

from pydantic import BaseModel


class Extracted(BaseModel):
    """What an extract added to bronze, in rows, and what the reader of the log should know."""

    table: str
    rows: int
    warnings: list[str] = []


@dataclass(frozen=True)
class Flagged:
    """The outcome of `check`: counts of rows, and the bronze version it has come to."""

    table: str
    bronze_version: int
    rows_in: int
    rejected: dict[str, int]
    """Rows per reject reason."""


@dataclass(frozen=True)
class RowCounts:
    """The outcome of `publish`, in rows: rows_in = rows_out + duplicates + quarantined."""

    table: str
    rows_in: int
    rows_out: int
    duplicates: int
    quarantined: int
