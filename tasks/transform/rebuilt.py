"""The tables of a rebuild: made beside the live ones, which they replace at its end.

Each takes its place in one commit, with its readers' marks; a reader sees the old table or the new one. Until
then a rebuild that fails, or is killed, has changed nothing that anybody reads; the next call begins anew.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow.dataset as pads
import pyarrow.fs as pafs
from deltalake import DeltaTable, write_deltalake
from prefect import task

from blocks.settings.failures import RETRY_TRANSIENT, PermanentFailure
from blocks.settings.settings import Settings
from lake.catalog import catalog, spark_tables
from lake.delta import REBUILT, Lake, commit
from lake.right import check_right
from spark_jobs.gold.job import SILVER
from spark_jobs.gold.jobs import GOLD_JOBS
from tasks.inventory.silver import TABLE as INVENTORY
from tasks.inventory.silver import write_silver
from tasks.restore.damage import DERIVED, damage, drop
from tasks.timing import timed


@contextmanager
def rebuilt_lake(lake: Lake, days: tuple[dt.date, dt.date] | None = None) -> Iterator[Lake]:
    """The lake in which a rebuild works: its silver, quarantine and gold are its own, deleted at the end.

    A rebuild of some `days` leaves the stock events alone, which have no part by day. Raises PermanentFailure
    if it has no silver yet to be a part of.
    """
    missing = [name for name in spark_tables() if lake.progress(f"silver.{name}", "bronze") is None]
    if days and missing:
        raise PermanentFailure(
            f"silver.{missing[0]} has never been built, so no days of it can be; rebuild the whole: "
            "python -m flows.rebuild"
        )
    _remove(lake)
    try:
        yield Lake(lake.root, tuple(spark_tables() if days else catalog()))
    finally:
        _remove(lake)


@task(task_run_name="replace-live-tables", **RETRY_TRANSIENT)
@timed
def replace_live_tables(rebuilt: Lake, settings: Settings) -> dict[str, int]:
    """Put the rebuilt tables in the place of the live ones; returns the new version of each.

    May be repeated. Stock events, which come meanwhile, are written again as they are now.
    """
    live, versions = rebuilt.live(), {}
    for name in live.folders():
        # Nothing can be written onto what cannot be read.
        if name.split(".")[0] in DERIVED and damage(live, name):
            drop(live, name)
    for name in spark_tables():
        # A row that changes between the two is in both for a moment, and at no time in neither.
        _add_missing(rebuilt, f"quarantine.{name}")
        for table in (f"silver.{name}", f"quarantine.{name}"):
            versions[table] = _replace(rebuilt, table, {"bronze": rebuilt.progress(table, "bronze")})
    of_gold = {each: versions[each] for each in SILVER}
    for name in GOLD_JOBS:
        versions[f"gold.{name}"] = _replace(rebuilt, f"gold.{name}", of_gold)
    if INVENTORY in rebuilt.beside:
        write_silver(live, settings.shop_timezone, full=True)
    return versions


def rows_reader(table: DeltaTable) -> pads.Scanner:
    """The rows of a table, read a little at a time."""
    return table.to_pyarrow_dataset().scanner(batch_readahead=2, fragment_readahead=1)


def _replace(rebuilt: Lake, name: str, marks: Mapping[str, int | None]) -> int:
    uri = rebuilt.live().uri(name)
    known = {mark: version for mark, version in marks.items() if version is not None}
    write_deltalake(
        uri,
        rows_reader(DeltaTable(rebuilt.uri(name))).to_reader(),
        mode="overwrite",
        schema_mode="overwrite",
        commit_properties=commit(known),
    )
    return DeltaTable(uri).version()


def _add_missing(rebuilt: Lake, name: str) -> None:
    live = rebuilt.live().table(name)
    if live is not None:
        new = rows_reader(DeltaTable(rebuilt.uri(name))).to_reader()
        same = "old.quarantine_id = new.quarantine_id"
        live.merge(
            new, same, source_alias="new", target_alias="old", commit_properties=commit()
        ).when_not_matched_insert_all().execute()


def _remove(lake: Lake) -> None:
    # Of a run that has lost its right: another may be at work there.
    check_right()
    filesystem, root = pafs.FileSystem.from_uri(lake.root)
    folder = f"{root.rstrip('/')}/{REBUILT}"
    if filesystem.get_file_info(folder).type == pafs.FileType.Directory:
        filesystem.delete_dir(folder)
