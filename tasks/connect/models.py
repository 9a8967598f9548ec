"""What a person should know of a shop's tables before the first run reads them."""

import datetime as dt
from typing import Literal

from pydantic import BaseModel, computed_field

Verdict = Literal["ready", "ready with warnings", "not ready", "unknown"]


class ColumnPreview(BaseModel):
    """A column of a contract: as it was found in the shop, and as it will be read."""

    name: str
    promised: str
    found: str | None
    note: str = ""
    """What is lost, or why it cannot be read; empty if it is read as it is."""
    is_refused: bool = False


class RejectedShare(BaseModel):
    """How many rows of a sample a row rule would reject."""

    rule: str
    rows: int
    share: float
    samples: list[str]
    """`key: value`, at most three; the values of personal columns are left out."""


class TablePreview(BaseModel):
    """A source table as a run would find it. `broken`, `warnings` and `unknown` are sentences."""

    table: str
    place: str
    """`table orders`, or `orders.sql`; empty if there is neither."""
    columns: list[ColumnPreview] = []
    additions: list[str] = []
    rows: int | None = None
    is_estimate: bool = False
    newest_row: str = "not known"
    cursor_index: str = "not known"
    deletes: str = ""
    sampled_rows: int | None = None
    """How many rows the rules were tried on; None if none could be read."""
    sample: str = ""
    rejected: list[RejectedShare] = []
    broken: list[str] = []
    warnings: list[str] = []
    unknown: list[str] = []


class ShopPreview(BaseModel):
    """The shop's database before a run."""

    at: dt.datetime
    database: str
    tables: list[TablePreview]
    next_command: str

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Verdict:
        """`not ready` if a run would stop, else `unknown` if something could not be read, else `ready`."""
        if self.broken:
            return "not ready"
        if self.unknown:
            return "unknown"
        return "ready with warnings" if self.warnings else "ready"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def broken(self) -> list[str]:
        """What stops a run, of all tables."""
        return [sentence for table in self.tables for sentence in table.broken]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def warnings(self) -> list[str]:
        """What stops no run, of all tables."""
        return [sentence for table in self.tables for sentence in table.warnings]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def unknown(self) -> list[str]:
        """What could not be read, of all tables."""
        return [sentence for table in self.tables for sentence in table.unknown]
