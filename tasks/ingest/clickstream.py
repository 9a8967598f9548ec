"""Clickstream files to bronze: every line, well-formed or not, once.

An unchanged file is not read again, a changed one adds the lines that bronze does not hold.
"""

import datetime as dt
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import DeltaTable
from prefect import task

from blocks.settings.failures import RETRY_TRANSIENT
from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Extracted
from spark_jobs.bronze.clickstream import BRONZE, LINE
from tasks.ingest.bronze import COVERED, append, covered_until, held_rows, unseen
from tasks.ingest.click_files import ENDINGS, ClickFile, ClickSource
from tasks.ingest.click_lines import SCHEMA, file_lines
from tasks.ingest.clicks_by_spark import append_by_spark
from tasks.ingest.extract_window import clickstream_days, previous_business_date
from tasks.ingest.read_concurrently import WORKERS, interleave


@task(task_run_name="extract-clickstream", **RETRY_TRANSIENT)
def extract_clickstream(ds: dt.date, settings: Settings, lake: Lake) -> Extracted:
    """Append the lines of the day folders that a run for `ds` covers to `bronze.clickstream`.

    Returns their number, and warnings: a day without a folder is one, not a failure, and so is what lies
    beside the day folders and looks like clicks. Raises PermanentFailure if CLICKSTREAM_URI does not exist.
    """
    source = ClickSource(settings.clickstream_uri)
    mark = covered_until(lake, BRONZE)
    covered_day = dt.date.fromordinal(mark) if mark is not None else None
    available, strays = source.days()
    days = clickstream_days(ds, covered_day, available)
    files, ignored = source.files(days)
    warnings = strays + [f"clickstream file {name} is not one of {', '.join(ENDINGS)}" for name in ignored]
    if ds not in days:
        warnings.append(f"clickstream has no folder for {ds}")
    elif not any(file.day == ds for file in files):
        warnings.append(f"clickstream folder {ds} has no file with clicks")
    bronze = lake.table(BRONZE)
    known = _known_versions(bronze, days)
    fresh = [file for file in files if (file.name, file.version) not in known]
    rows = 0
    if fresh and settings.spark_reads_clicks:
        rows, refused = append_by_spark(fresh, {name for name, _ in known}, source, settings, lake)
        warnings += [f"clickstream file {name} was read by the worker: Spark could not" for name in refused]
        bronze = lake.table(BRONZE)
        known = _known_versions(bronze, days)
        fresh = [file for file in fresh if (file.name, file.version) not in known]
    # A day that is not over may still get files: the next run reads its folder again. A clock that is ahead
    # covers no days whose folders are still to come.
    over = previous_business_date(dt.datetime.now(dt.UTC), settings.shop_timezone)
    covered = min(ds, over, max(available, default=ds))
    streams = [partial(_unseen_lines, source, bronze, file) for file in fresh]
    rows += append(lake, BRONZE, SCHEMA, interleave(streams, WORKERS), {COVERED: covered.toordinal()})
    return Extracted(table="clickstream", rows=rows, warnings=warnings)


def unread_files(days: list[dt.date], settings: Settings, lake: Lake) -> dict[dt.date, list[int]]:
    """The bytes of each click file of these days that bronze lacks, or holds as it was before a change.

    Days without such a file are left out. Raises PermanentFailure if CLICKSTREAM_URI cannot be listed.
    """
    source = ClickSource(settings.clickstream_uri)
    files, _ = source.files(sorted({*days} & {*source.days()[0]}))
    known = _known_versions(lake.table(BRONZE), days)
    unread: dict[dt.date, list[int]] = {}
    for file in files:
        if (file.name, file.version) not in known:
            unread.setdefault(file.day, []).append(file.size)
    return unread


def _unseen_lines(
    source: ClickSource, bronze: DeltaTable | None, file: ClickFile
) -> Iterator[pa.RecordBatch]:
    held = held_rows(bronze, LINE, pads.field("source_file") == file.name)
    return unseen(file_lines(source, file), held, LINE, SCHEMA)


def _known_versions(bronze: DeltaTable | None, days: list[dt.date]) -> set[tuple[str, str]]:
    known: set[tuple[str, str]] = set()
    if bronze is None:
        return known
    columns, rows = ["source_file", "source_version"], pads.field("ds").isin(days)
    # Batch by batch: a day may have more lines than memory has room for.
    for batch in bronze.to_pyarrow_dataset().to_batches(columns=columns, filter=rows):
        distinct = pa.Table.from_batches([batch]).group_by(columns).aggregate([])
        known.update(zip(*(column.to_pylist() for column in distinct.columns), strict=True))
    return known
