"""The copy of lake and warehouse at BACKUP_URI, made by maintenance.

A table's copy is a Delta table of one version, with that version's marks. Files never change: a copy costs
what has changed since the last. The log comes last, so that a copy that was killed is still the one before.
"""

import datetime as dt
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow.fs as pafs
from deltalake import DeltaTable
from prefect import task

from blocks.settings.failures import RETRY_TRANSIENT, PermanentFailure
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.timing import timed

WORKERS = 8
BLOCK_BYTES = 8 << 20
LOG = "_delta_log"
WAREHOUSE_FILE = "warehouse.duckdb"


@task(task_run_name="copy-{name}", **RETRY_TRANSIENT)
@timed
def copy_table(name: str, settings: Settings, lake: Lake) -> int:
    """Make the copy of a lake table equal to it as it is now; returns the number of copied files."""
    table = DeltaTable(lake.uri(name))
    table.create_checkpoint()
    version = f"{LOG}/{table.version():020}"
    way = _Way(lake.uri(name), Lake(settings.backup_uri).uri(name))
    files = set(table.get_add_actions(flatten=True)["path"].to_pylist())
    there = way.there()
    new = sorted(file for file in files if there.get(file) != way.size(file))
    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(way.copy, new))
    # The checkpoint alone is a whole log; the commit beside it says when it was.
    log = [f"{version}.checkpoint.parquet", f"{version}.json"]
    for file in log:
        way.copy(file)
    way.delete(there.keys() - files - set(log))
    return len(new)


@task(task_run_name="copy-warehouse", **RETRY_TRANSIENT)
@timed
def copy_warehouse(settings: Settings) -> bool:
    """Copy the warehouse's file; returns whether there is one. The clouds keep copies of their own."""
    if settings.warehouse != "duckdb" or not settings.duckdb_path.exists():
        return False
    folder, _, file = settings.duckdb_path.as_uri().rpartition("/")
    # Whoever publishes renames another file to its place: what is open stays what it was.
    _Way(folder, settings.backup_uri).copy(file, WAREHOUSE_FILE)
    return True


def warehouse_copy(settings: Settings) -> str:
    """The URI of the warehouse's copy. Raises PermanentFailure if there is none."""
    uri = f"{_backup(settings)}/{WAREHOUSE_FILE}"
    if _written_at(uri) is None:
        raise PermanentFailure(f"there is no copy of the warehouse at {uri}; restore it --from lake")
    return uri


def copied_table(name: str, settings: Settings) -> DeltaTable:
    """The copy of a table. Raises PermanentFailure if there is none."""
    table = Lake(_backup(settings)).table(name)
    if table is None:
        raise PermanentFailure(f"there is no copy of {name} at {settings.backup_uri}")
    return table


def copied_at(uri: str) -> dt.datetime:
    """When the copy at this URI, a file's or a table's, was made."""
    filesystem, path = pafs.FileSystem.from_uri(uri)
    if filesystem.get_file_info(path).type == pafs.FileType.File:
        return filesystem.get_file_info(path).mtime
    entries = filesystem.get_file_info(pafs.FileSelector(f"{path}/{LOG}"))
    return max(entry.mtime for entry in entries)


def _backup(settings: Settings) -> str:
    if not settings.backup_uri:
        raise PermanentFailure(
            "there is no copy: BACKUP_URI is not set. Set it, and `python -m flows.maintenance` makes one"
        )
    return settings.backup_uri.rstrip("/")


def _written_at(uri: str) -> dt.datetime | None:
    filesystem, path = pafs.FileSystem.from_uri(uri)
    return filesystem.get_file_info(path).mtime


@dataclass(frozen=True)
class _Way:
    """From one folder to another, on two stores."""

    source: str
    target: str

    def there(self) -> dict[str, int]:
        """The size of each file in the target, by its path in it."""
        filesystem, folder = pafs.FileSystem.from_uri(self.target)
        selector = pafs.FileSelector(folder, allow_not_found=True, recursive=True)
        entries = [each for each in filesystem.get_file_info(selector) if each.type == pafs.FileType.File]
        return {each.path.removeprefix(folder).lstrip("/"): each.size for each in entries}

    def size(self, file: str) -> int:
        """Of a file of the source."""
        filesystem, folder = pafs.FileSystem.from_uri(self.source)
        return filesystem.get_file_info(f"{folder}/{file}").size

    def copy(self, file: str, name: str = "") -> None:
        """Copy a file; under its name it is whole, or not there."""
        read, source = pafs.FileSystem.from_uri(f"{self.source}/{file}")
        write, target = pafs.FileSystem.from_uri(f"{self.target}/{name or file}")
        write.create_dir(target.rpartition("/")[0])
        with read.open_input_stream(source) as reader, write.open_output_stream(f"{target}.part") as writer:
            shutil.copyfileobj(reader, writer, BLOCK_BYTES)
        write.move(f"{target}.part", target)

    def delete(self, files: Iterable[str]) -> None:
        """Delete files of the target."""
        filesystem, folder = pafs.FileSystem.from_uri(self.target)
        for file in files:
            filesystem.delete_file(f"{folder}/{file}")
