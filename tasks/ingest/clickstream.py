"""Clickstream files to bronze: every line, well-formed or not, once.

A day's files lie in the folder YYYY-MM-DD, at any depth. A file is known by its path and its version (size
and modification time): an unchanged file is not read again, a changed one adds the lines that bronze does
not hold.
"""

import datetime as dt
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs
from deltalake import DeltaTable
from prefect import task

from blocks.lake_storage import store_failure
from blocks.settings.failures import RETRY_TRANSIENT, PermanentFailure, TransientFailure
from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Extracted
from tasks.ingest.bronze import COVERED, append, covered_until, held_rows, unseen
from tasks.ingest.extract_window import clickstream_days, previous_business_date
from tasks.ingest.read_concurrently import WORKERS, interleave

BRONZE = "bronze.clickstream"
# Grain: one row per line of a file as it was once seen.
SCHEMA = pa.schema(
    [
        ("ds", pa.date32()),
        ("source_file", pa.string()),
        ("source_version", pa.string()),
        ("line_number", pa.int64()),
        ("raw", pa.string()),
    ]
)
LINE = ["source_file", "line_number", "raw"]
ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
BLOCK_BYTES = 8 << 20
SHOWN = 3
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Other spellings of a day, or what folders by year begin with: 20240116, 2024-1-16, dt=2024-01-16, year=2024.
LIKE_DAY = re.compile(r"(\w+=)?((19|20)\d\d([\W_]?W?\d{1,2}){0,4}|\d\d?[\W_]\d\d?[\W_](19|20)\d\d)", re.ASCII)


@task(task_run_name="extract-clickstream", **RETRY_TRANSIENT)
def extract_clickstream(ds: dt.date, settings: Settings, lake: Lake) -> Extracted:
    """Append the lines of the day folders that a run for `ds` covers to `bronze.clickstream`.

    Returns their number, and warnings: a day without a folder is one, not a failure, and so is what lies
    beside the day folders and looks like clicks. Raises PermanentFailure if CLICKSTREAM_URI does not exist.
    """
    source = _Source(settings.clickstream_uri)
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
    # A day that is not over may still get files: the next run reads its folder again. A clock that is ahead
    # covers no days whose folders are still to come.
    over = previous_business_date(dt.datetime.now(dt.UTC), settings.shop_timezone)
    covered = min(ds, over, max(available, default=ds))
    streams = [partial(_unseen_lines, source, bronze, file) for file in fresh]
    rows = append(lake, BRONZE, SCHEMA, interleave(streams, WORKERS), {COVERED: covered.toordinal()})
    return Extracted(table="clickstream", rows=rows, warnings=warnings)


def unread_files(days: list[dt.date], settings: Settings, lake: Lake) -> dict[dt.date, list[int]]:
    """The bytes of each click file of these days that bronze lacks, or holds as it was before a change.

    Days without such a file are left out. Raises PermanentFailure if CLICKSTREAM_URI cannot be listed.
    """
    source = _Source(settings.clickstream_uri)
    files, _ = source.files(sorted({*days} & {*source.days()[0]}))
    known = _known_versions(lake.table(BRONZE), days)
    unread: dict[dt.date, list[int]] = {}
    for file in files:
        if (file.name, file.version) not in known:
            unread.setdefault(file.day, []).append(file.size)
    return unread


class _File(NamedTuple):
    """A click file: its path below CLICKSTREAM_URI, by which bronze knows it, and where to open it."""

    name: str
    version: str
    path: str

    @property
    def size(self) -> int:
        """In bytes, as stored."""
        return int(self.version.split("-")[0])

    @property
    def day(self) -> dt.date:
        """The business day of its folder."""
        return dt.date.fromisoformat(self.name.split("/")[0])


class _Source:
    """The folder of day folders at CLICKSTREAM_URI."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.filesystem, self.root = pafs.FileSystem.from_uri(uri)

    def days(self) -> tuple[list[dt.date], list[str]]:
        """The days that have a folder, and warnings of what looks like clicks and lies in none.

        Raises PermanentFailure if CLICKSTREAM_URI cannot be listed.
        """
        try:
            entries = self.filesystem.get_file_info(pafs.FileSelector(self.root))
        except FileNotFoundError:
            raise PermanentFailure(
                f"CLICKSTREAM_URI {self.uri} does not exist: create the folder, or correct the variable"
            ) from None
        except OSError as error:
            message = f"CLICKSTREAM_URI {self.uri} cannot be listed ({error}); correct it or its rights"
            raise store_failure(message, error) from error
        folders = sorted(entry.base_name for entry in entries if entry.type == pafs.FileType.Directory)
        days = {name: day for name in folders if (day := _as_date(name))}
        misspelt = [name for name in folders if name not in days and LIKE_DAY.fullmatch(name)]
        files = sorted(entry.base_name for entry in entries if entry.type == pafs.FileType.File)
        beside = [name for name in files if name.endswith(ENDINGS)]
        warnings = []
        if misspelt:
            warnings.append(
                f"clickstream folders {_some(misspelt)} are not read: a day's is named YYYY-MM-DD, "
                "rename them"
            )
        if beside:
            warnings.append(
                f"clickstream files {_some(beside)} are not read: they lie in no day's folder, "
                "move them to one"
            )
        return list(days.values()), warnings

    def files(self, days: list[dt.date]) -> tuple[list[_File], list[str]]:
        """The files of these days, and the names of those that are no JSON lines."""
        found = [file for day in days for file in self._files(day)]
        usable = sorted(file for file in found if file.name.endswith(ENDINGS))
        return usable, sorted(file.name for file in found if file not in usable)

    def _files(self, day: dt.date) -> Iterator[_File]:
        folder = f"{self.root.rstrip('/')}/{day.isoformat()}"
        for entry in self.filesystem.get_file_info(pafs.FileSelector(folder, recursive=True)):
            *between, name = entry.path.removeprefix(folder).strip("/").split("/")
            # What a writer has not finished yet, by the convention of Hadoop.
            is_hidden = any(part.startswith(("_", ".")) for part in between)
            if entry.type == pafs.FileType.File and not is_hidden:
                path = "/".join([day.isoformat(), *between, name])
                yield _File(path, f"{entry.size}-{entry.mtime_ns}", entry.path)

    def open(self, file: _File) -> io.BufferedIOBase:
        """The file's bytes, uncompressed."""
        stream: io.BufferedIOBase = self.filesystem.open_input_stream(file.path, compression=None)
        return gzip.GzipFile(fileobj=stream) if file.name.endswith(".gz") else stream


def _unseen_lines(source: _Source, bronze: DeltaTable | None, file: _File) -> Iterator[pa.RecordBatch]:
    held = held_rows(bronze, LINE, pads.field("source_file") == file.name)
    return unseen(_file_lines(source, file), held, LINE, SCHEMA)


def _file_lines(source: _Source, file: _File) -> Iterator[pa.RecordBatch]:
    number = 1
    for lines in _readable(source, file):
        yield pa.record_batch(
            [
                pa.repeat(pa.scalar(file.day), len(lines)),
                pa.repeat(file.name, len(lines)),
                pa.repeat(file.version, len(lines)),
                pa.array(range(number, number + len(lines)), pa.int64()),
                _as_text(lines),
            ],
            schema=SCHEMA,
        )
        number += len(lines)


def _readable(source: _Source, file: _File) -> Iterator[list[bytes]]:
    """`_blocks_of_lines`; TransientFailure if the store gives up, or the file has just been replaced."""
    try:
        yield from _blocks_of_lines(source, file)
    except OSError as error:
        raise TransientFailure(f"clickstream file {file.name} cannot be read: {error}") from error


def _blocks_of_lines(source: _Source, file: _File) -> Iterator[list[bytes]]:
    """The lines of a file without their line ends, in blocks of about BLOCK_BYTES."""
    rest = b""
    with source.open(file) as stream:
        while True:
            block, damage = _read_block(stream)
            *lines, rest = (rest + block).split(b"\n")
            yield lines
            if damage:
                # What could be read is kept; the rest is one line that the row rules will reject and show.
                yield [*filter(None, [rest]), f"<unreadable from here on: {damage}>".encode()]
                return
            if not block:
                break
    if rest:
        yield [rest]


def _read_block(stream: io.BufferedIOBase) -> tuple[bytes, Exception | None]:
    """About BLOCK_BYTES of the stream, less only at its end or before damage; and the damage."""
    pieces, size = [], 0
    try:
        # Not `read`: at damage it loses what it has read so far.
        while size < BLOCK_BYTES and (piece := stream.read1(BLOCK_BYTES)):
            pieces.append(piece)
            size += len(piece)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        return b"".join(pieces), error
    return b"".join(pieces), None


def _as_text(lines: list[bytes]) -> pa.Array:
    binary = pa.array(lines, pa.binary())
    try:
        text = binary.cast(pa.string())
    except pa.ArrowInvalid:
        text = pa.array([line.decode(errors="backslashreplace") for line in lines], pa.string())
    return pc.utf8_rtrim(text, "\r")


def _known_versions(bronze: DeltaTable | None, days: list[dt.date]) -> set[tuple[str, str]]:
    held = held_rows(bronze, ["source_file", "source_version"], pads.field("ds").isin(days))
    distinct = held.group_by(["source_file", "source_version"]).aggregate([])
    return set(zip(*(column.to_pylist() for column in distinct.columns), strict=True))


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _as_date(name: str) -> dt.date | None:
    # `fromisoformat` alone would take 20240116 and 2024-W03-2 as well.
    if not DAY.fullmatch(name):
        return None
    try:
        return dt.date.fromisoformat(name)
    except ValueError:
        return None
