"""The refresh of the feature tables: versions from bronze, missing days in the lake, then the warehouse."""

import datetime as dt
from dataclasses import dataclass

from prefect import task
from prefect.logging import get_run_logger

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.features.contract import feature_tables
from tasks.features.tables import SOURCES, days_between, first_read, reading_versions, write_day, written_days
from tasks.features.versions import write_versions
from tasks.features.warehouse_copy import load_features
from tasks.timing import remark, timed
from tasks.warehouse.interface import Warehouse


@dataclass(frozen=True)
class Refreshed:
    """The days of a feature table that were written, and those that were loaded."""

    table: str
    written: list[dt.date]
    loaded: list[dt.date]


def refresh_if_wanted(warehouse: Warehouse, settings: Settings, lake: Lake) -> list[Refreshed] | None:
    """Refresh the feature tables if they are asked for: a run without them has no such step."""
    return refresh_features(warehouse, settings, lake) if settings.feature_tables else None


@task(task_run_name="refresh-features")
@timed
def refresh_features(warehouse: Warehouse, settings: Settings, lake: Lake) -> list[Refreshed] | None:
    """Write the days that have ended since the last refresh. None, and a warning, if that fails."""
    try:
        return write_features(warehouse, settings, lake)
    except Exception as error:
        get_run_logger().warning("no new features: %s", error)
        remark(f"no new features: {error}; then `python -m flows.features` writes the days that are missing")
        return None


def write_features(
    warehouse: Warehouse,
    settings: Settings,
    lake: Lake,
    first: dt.date | None = None,
    last: dt.date | None = None,
    is_again: bool = False,
    is_full: bool = False,
) -> list[Refreshed]:
    """Write and load the days from `first` to `last` (default: the lake's first read to yesterday).

    `is_again`: those that are there, too. `is_full`: versions from all of bronze. Raises PermanentFailure if
    no run has read orders yet.
    """
    for name in SOURCES:
        write_versions(name, settings, lake, full=is_full)
    refreshed = []
    with reading_versions(lake) as connection:
        read = first_read(connection)
        if read is None:
            raise PermanentFailure(
                "no run has read an order yet; run `python -m flows.daily YYYY-MM-DD` first"
            )
        zone = settings.shop_timezone
        yesterday = dt.datetime.now(zone).date() - dt.timedelta(days=1)
        until = min(last or yesterday, yesterday)
        for table in feature_tables().values():
            held = set() if is_again else written_days(lake, table)
            days = days_between(first or read.astimezone(zone).date(), until, zone, read)
            missing = [day for day in days if day.date not in held]
            for day in missing:
                write_day(connection, lake, table, day)
            written = [day.date for day in missing]
            loaded = load_features(warehouse, lake, table, anew=written)
            refreshed.append(Refreshed(table.lake_name, written, sorted(loaded)))
    return refreshed
