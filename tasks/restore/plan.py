"""The plan of a restore: per table, what it holds now and what it would hold; reads only."""

import datetime as dt

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError
from pydantic import BaseModel

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.catalog import catalog
from lake.delta import Lake
from lake.new_files import exist
from tasks.restore.copies import copied_at, copied_table, warehouse_copy
from tasks.restore.damage import damage
from tasks.restore.request import LAKE, WAREHOUSE, Restoration


class Part(BaseModel):
    """A table of the lake whose content is replaced."""

    name: str
    rows_now: int | None
    """None if the table cannot be read."""
    rows_then: int | None
    """None if only the source knows."""
    version: int | None = None
    """The version that it returns to."""
    moment: dt.datetime | None = None
    """When its content was so; None if that is now."""
    damage: str = ""


class RestorePlan(BaseModel):
    """What a restore would do."""

    wanted: Restoration
    parts: list[Part]
    moment: dt.datetime | None = None
    """When the copy of the warehouse was made."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to restore from."""
        return not self.parts and self.wanted.what == LAKE and self.wanted.source != "bronze"


def plan_restore(wanted: Restoration, settings: Settings, lake: Lake) -> RestorePlan:
    """Compare what is asked for with what is there. Raises PermanentFailure if it cannot be had."""
    if wanted.what == WAREHOUSE:
        copied = warehouse_copy(settings) if wanted.source == "copy" else None
        return RestorePlan(wanted=wanted, parts=[], moment=copied_at(copied) if copied else None)
    names = wanted.tables(lake, settings)
    known = set(lake.folders()) | set(names if wanted.source == "copy" else [])
    if missing := [name for name in names if name not in known and not _is_of_contract(name)]:
        raise PermanentFailure(f"the lake has no table {missing[0]}; it has {', '.join(lake.folders())}")
    parts = [_part(name, wanted, settings, lake) for name in names]
    plan = RestorePlan(wanted=wanted, parts=[part for part in parts if part])
    if plan.is_empty:
        raise PermanentFailure(f"there is nothing to restore {wanted}")
    return plan


def open_table(lake: Lake, name: str) -> DeltaTable | None:
    """A table, or None if there is none or its log cannot be read."""
    try:
        return DeltaTable(lake.uri(name))
    except (TableNotFoundError, DeltaError, OSError):
        return None


def _is_of_contract(name: str) -> bool:
    layer, _, table = name.partition(".")
    return layer in ("bronze", "silver", "quarantine") and table in catalog()


def _part(name: str, wanted: Restoration, settings: Settings, lake: Lake) -> Part | None:
    wrong = damage(lake, name)
    now = open_table(lake, name)
    part = Part(name=name, rows_now=_rows(now) if now and not wrong else None, rows_then=None, damage=wrong)
    if wanted.source == "copy":
        then = copied_table(name, settings)
        part.rows_then, part.moment = _rows(then), copied_at(then.table_uri)
    elif wanted.source == "history":
        if now is None:
            raise PermanentFailure(f"{name} has no history: {wrong or 'there is no such table'}; {OTHERWISE}")
        moment = wanted.at or _moment_of(wanted, lake)
        own = wanted.version if name == wanted.what else None
        found = own if own is not None else _version_at(now, moment)
        if found is None:
            if wanted.what == LAKE:
                # It is younger than that.
                return None
            raise PermanentFailure(f"{name} has no version of {moment:%Y-%m-%d %H:%M:%S %Z}: {_span(now)}")
        then = _as_of(now, found)
        part.rows_then, part.version, part.moment = _rows(then), found, moment
    return part


OTHERWISE = "restore it --from copy, or --from source, or what is not bronze --from bronze"


def _moment_of(wanted: Restoration, lake: Lake) -> dt.datetime:
    """The moment of the version that was asked for."""
    table = open_table(lake, wanted.what)
    if table is None:
        raise PermanentFailure(f"{wanted.what} has no history; {OTHERWISE}")
    times = _times(table)
    if wanted.version not in times:
        raise PermanentFailure(f"{wanted.what} has no version {wanted.version}: {_span(table)}")
    return times[wanted.version]


def _version_at(table: DeltaTable, moment: dt.datetime) -> int | None:
    return max((version for version, time in _times(table).items() if time <= moment), default=None)


def _times(table: DeltaTable) -> dict[int, dt.datetime]:
    return {
        each["version"]: dt.datetime.fromtimestamp(each["timestamp"] / 1000, dt.UTC)
        for each in table.history()
    }


def _span(table: DeltaTable) -> str:
    times = _times(table)
    first, last = min(times), max(times)
    return f"its history goes from version {first} ({times[first]:%Y-%m-%d %H:%M:%S} UTC) to {last}"


def _as_of(table: DeltaTable, version: int) -> DeltaTable:
    try:
        then = DeltaTable(table.table_uri, version=version)
    except DeltaError:
        raise PermanentFailure(f"version {version} cannot be read: {_span(table)}; {OTHERWISE}") from None
    if not exist(set(then.file_uris()) - set(table.file_uris())):
        raise PermanentFailure(
            f"files of version {version} are gone: maintenance keeps them for LAKE_RETENTION; {OTHERWISE}"
        )
    return then


def _rows(table: DeltaTable) -> int:
    return sum(rows or 0 for rows in table.get_add_actions(flatten=True)["num_records"].to_pylist())
