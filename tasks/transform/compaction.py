"""Compaction of a lake table, to keep it cheap to read: few large files, no old ones, a short log.

Rows that a reader has not read yet stay new to it (lake/new_files.py), and a version younger than
`LAKE_RETENTION` can still be read.
"""

import datetime as dt

from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from prefect import task
from pydantic import BaseModel

from blocks.settings.failures import RETRY_TRANSIENT, TransientFailure
from blocks.settings.settings import Settings
from lake.delta import Lake, commit
from tasks.timing import timed

LOG_RETENTION = "delta.logRetentionDuration"


class Compacted(BaseModel):
    """A table's live files before and after, their bytes, and the number of old files that were deleted."""

    table: str
    files_before: int
    files_after: int
    bytes_after: int
    files_deleted: int


@task
def lake_tables(lake: Lake) -> list[str]:
    """The names of all tables of the lake."""
    return lake.tables()


@task(task_run_name="compact-{name}", **RETRY_TRANSIENT)
@timed
def compact_table(name: str, settings: Settings, lake: Lake) -> Compacted:
    """Compact the table's small files, delete files that no version within the retention has, cut its log.

    Changes no row. Returns the numbers of files.
    Raises TransientFailure if another writer always comes first.
    """
    table = DeltaTable(lake.uri(name))
    before = len(table.file_uris())
    try:
        _keep_log(table, settings.lake_retention)
        table.optimize.compact(target_size=settings.lake_file_mb << 20, commit_properties=commit())
        deleted = table.vacuum(
            retention_hours=settings.lake_retention // dt.timedelta(hours=1),
            dry_run=False,
            full=True,
            commit_properties=commit(),
        )
    except CommitFailedError as error:
        raise TransientFailure(
            f"{name} is being written by others all the time ({error}); try again"
        ) from error
    table.create_checkpoint()
    table.cleanup_metadata()
    sizes = table.get_add_actions(flatten=True)["size_bytes"].to_pylist()
    return Compacted(
        table=name,
        files_before=before,
        files_after=len(sizes),
        bytes_after=sum(sizes),
        files_deleted=len(deleted),
    )


def _keep_log(table: DeltaTable, retention: dt.timedelta) -> None:
    """Let the log forget what no version within the retention needs.

    By default it keeps 30 days: a million commits of a stream, of versions whose files are long gone.
    """
    wanted = f"interval {retention // dt.timedelta(hours=1)} hours"
    if table.metadata().configuration.get(LOG_RETENTION) != wanted:
        table.alter.set_table_properties({LOG_RETENTION: wanted}, commit_properties=commit())
