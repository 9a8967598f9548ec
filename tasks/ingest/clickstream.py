"""Clickstream files to bronze: every line, well-formed or not, once.

A file is known by its path and its version (size and modification time): an unchanged file is not read
again, a changed one adds the lines that bronze does not hold.
"""

import datetime as dt
import gzip
import io
import zlib
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs
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


@task(task_run_name="extract-clickstream", **RETRY_TRANSIENT)
def extract_clickstream(ds: dt.date, settings: Settings, lake: Lake) -> Extracted:
    """Append the lines of the day folders that a run for `ds` covers to `bronze.clickstream`.

    Returns their number, and warnings: a day without a folder is one, not a failure. Raises PermanentFailure
    if CLICKSTREAM_URI does not exist.
    """
    source = _Source(settings.clickstream_uri)
    mark = covered_until(lake, BRONZE)
    covered_day = dt.date.fromordinal(mark) if mark is not None else None
    days = clickstream_days(ds, covered_day, source.days())
    warnings = [] if ds in days else [f"clickstream has no folder for {ds}"]
    files, ignored = source.files(days)
    warnings += [f"clickstream file {name} is not one of {', '.join(ENDINGS)}" for name in ignored]
    known = _known_versions(lake, days)
    fresh = [file for file in files if (_name(file), _version(file)) not in known]
    # A day that is not over may still get files: the next run reads its folder again.
    covered = min(ds, previous_business_date(dt.datetime.now(dt.UTC), settings.shop_timezone))
    streams = [partial(_unseen_lines, source, lake, file) for file in fresh]
    rows = append(lake, BRONZE, SCHEMA, interleave(streams, WORKERS), {COVERED: covered.toordinal()})
    return Extracted(table="clickstream", rows=rows, warnings=warnings)


class _Source:
    """The folder of day folders at CLICKSTREAM_URI."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.filesystem, self.root = pafs.FileSystem.from_uri(uri)

    def days(self) -> list[dt.date]:
        """The days that have a folder. Raises PermanentFailure if CLICKSTREAM_URI cannot be listed."""
        try:
            entries = self.filesystem.get_file_info(pafs.FileSelector(self.root))
        except FileNotFoundError:
            raise PermanentFailure(
                f"CLICKSTREAM_URI {self.uri} does not exist: create the folder, or correct the variable"
            ) from None
        except OSError as error:
            message = f"CLICKSTREAM_URI {self.uri} cannot be listed ({error}); correct it or its rights"
            raise store_failure(message, error) from error
        names = (entry.base_name for entry in entries if entry.type == pafs.FileType.Directory)
        return sorted(filter(None, map(_as_date, names)))

    def files(self, days: list[dt.date]) -> tuple[list[pafs.FileInfo], list[str]]:
        """The files of these days, and the names of those that are no JSON lines."""
        found = [
            entry
            for day in days
            for entry in self.filesystem.get_file_info(pafs.FileSelector(f"{self.root}/{day.isoformat()}"))
            if entry.type == pafs.FileType.File
        ]
        usable = [file for file in found if file.base_name.endswith(ENDINGS)]
        return sorted(usable, key=_name), sorted(_name(file) for file in found if file not in usable)

    def open(self, file: pafs.FileInfo) -> io.BufferedIOBase:
        """The file's bytes, uncompressed."""
        stream: io.BufferedIOBase = self.filesystem.open_input_stream(file.path, compression=None)
        return gzip.GzipFile(fileobj=stream) if file.base_name.endswith(".gz") else stream


def _unseen_lines(source: _Source, lake: Lake, file: pafs.FileInfo) -> Iterator[pa.RecordBatch]:
    held = held_rows(lake, BRONZE, LINE, pads.field("source_file") == _name(file))
    return unseen(_file_lines(source, file), held, LINE, SCHEMA)


def _file_lines(source: _Source, file: pafs.FileInfo) -> Iterator[pa.RecordBatch]:
    number = 1
    for lines in _readable(source, file):
        yield pa.record_batch(
            [
                pa.repeat(pa.scalar(dt.date.fromisoformat(_name(file).split("/")[0])), len(lines)),
                pa.repeat(_name(file), len(lines)),
                pa.repeat(_version(file), len(lines)),
                pa.array(range(number, number + len(lines)), pa.int64()),
                _as_text(lines),
            ],
            schema=SCHEMA,
        )
        number += len(lines)


def _readable(source: _Source, file: pafs.FileInfo) -> Iterator[list[bytes]]:
    """`_blocks_of_lines`; TransientFailure if the store gives up, or the file has just been replaced."""
    try:
        yield from _blocks_of_lines(source, file)
    except OSError as error:
        raise TransientFailure(f"clickstream file {_name(file)} cannot be read: {error}") from error


def _blocks_of_lines(source: _Source, file: pafs.FileInfo) -> Iterator[list[bytes]]:
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


def _known_versions(lake: Lake, days: list[dt.date]) -> set[tuple[str, str]]:
    held = held_rows(lake, BRONZE, ["source_file", "source_version"], pads.field("ds").isin(days))
    distinct = held.group_by(["source_file", "source_version"]).aggregate([])
    return set(zip(*(column.to_pylist() for column in distinct.columns), strict=True))


def _name(file: pafs.FileInfo) -> str:
    return "/".join(file.path.split("/")[-2:])


def _version(file: pafs.FileInfo) -> str:
    return f"{file.size}-{file.mtime_ns}"


def _as_date(name: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(name)
    except ValueError:
        return None
