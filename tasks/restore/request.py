"""What is to be restored, and from where."""

import datetime as dt
from typing import Literal

from pydantic import AwareDatetime, BaseModel

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.catalog import catalog
from lake.delta import Lake
from tasks.ledger.tables import TABLES
from tasks.restore.damage import DERIVED

Source = Literal["history", "copy", "bronze", "source", "lake"]
LAKE, WAREHOUSE = "lake", "warehouse"
# Of each kind of thing, the sources it can come from; the first is taken if none is named.
SOURCES: dict[str, tuple[Source, ...]] = {
    WAREHOUSE: ("lake", "copy"),
    LAKE: ("bronze", "history", "copy", "source"),
    "bronze": ("history", "copy", "source"),
    **dict.fromkeys(DERIVED, ("bronze", "history")),
    "ops": ("history", "copy"),
}


class Restoration(BaseModel, frozen=True):
    """A table (`silver.orders`), the `lake` or the `warehouse`, and where its content comes from.

    - history: an older version of the Delta table, by its number or by a moment
    - copy: the last copy that maintenance has made
    - bronze: silver, quarantine and gold are built again
    - source: bronze is read again from the shop, the click files and Kafka
    - lake: the warehouse is loaded and built again
    """

    what: str
    source: Source
    version: int | None = None
    at: AwareDatetime | None = None

    @classmethod
    def of(
        cls,
        what: str,
        source: Source | None = None,
        version: int | None = None,
        at: dt.datetime | None = None,
    ) -> "Restoration":
        """What was asked for, with what follows from it. Raises PermanentFailure if it cannot be."""
        kind = what.split(".")[0]
        sources = SOURCES.get(kind) if "." in what or what in (LAKE, WAREHOUSE) else None
        if sources is None:
            raise PermanentFailure(
                f"{what} is no table, nor lake or warehouse; a table is named silver.orders"
            )
        by_history = version is not None or at is not None
        chosen: Source = source or ("history" if by_history else sources[0])
        if chosen not in sources:
            raise PermanentFailure(f"{what} cannot be restored from {chosen}, only from {', '.join(sources)}")
        if by_history != (chosen == "history") or (version is not None and at is not None):
            raise PermanentFailure(
                "from history a table is restored to a --version or --at a moment; from elsewhere to neither"
            )
        if what == LAKE and version is not None:
            raise PermanentFailure("each table counts its own versions: restore the lake --at a moment")
        return cls(what=what, source=chosen, version=version, at=at)

    @property
    def is_of_bronze(self) -> bool:
        """Whether bronze changes: what it then lacks is read from the sources, and all is built again."""
        return self.what.startswith("bronze.") or (self.what == LAKE and self.source != "bronze")

    @property
    def is_built_again(self) -> bool:
        """Whether silver, quarantine and gold are built from bronze."""
        return self.is_of_bronze or self.source == "bronze"

    def tables(self, lake: Lake, settings: Settings) -> list[str]:
        """The tables of the lake whose content is replaced before anything is built."""
        if self.what == WAREHOUSE or self.source == "bronze":
            return []
        if self.what != LAKE:
            layer, table = self.what.split(".")
            # A row is in one of the two: they go together.
            paired = layer in ("silver", "quarantine")
            return [f"{each}.{table}" for each in ("quarantine", "silver")] if paired else [self.what]
        names = {f"bronze.{table}" for table in catalog()}
        if self.source == "copy":
            copied = Lake(settings.backup_uri).folders() if settings.backup_uri else []
            ledger = {f"ops.{table}" for table in TABLES}
            return [name for name in copied if name in names | ledger]
        return (
            sorted(names) if self.source == "source" else [each for each in lake.folders() if each in names]
        )

    def __str__(self) -> str:
        when = f" version {self.version}" if self.version is not None else ""
        when += f" at {self.at:%Y-%m-%d %H:%M:%S %Z}" if self.at else ""
        return f"{self.what} from {self.source}{when}"

    @property
    def command(self) -> str:
        """The command line that asks for it."""
        words = ["python -m flows.restore", self.what, "--from", self.source]
        words += ["--version", str(self.version)] if self.version is not None else []
        words += ["--at", self.at.isoformat()] if self.at else []
        return " ".join(words)
