"""The lines of a click file, read here: each as text, whatever its bytes; a damaged gz as far as it goes."""

import gzip
import io
import zlib
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from blocks.settings.failures import TransientFailure
from tasks.ingest.click_files import ClickFile, ClickSource

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
BLOCK_BYTES = 8 << 20
# What editors and exports on Windows put before the first line, and Spark leaves out.
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def file_lines(source: ClickSource, file: ClickFile) -> Iterator[pa.RecordBatch]:
    """The lines of a file, in SCHEMA. Raises TransientFailure if the store gives up, or the file is gone."""
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


def _readable(source: ClickSource, file: ClickFile) -> Iterator[list[bytes]]:
    """`_blocks_of_lines`; TransientFailure if the store gives up, or the file has just been replaced."""
    try:
        yield from _blocks_of_lines(source, file)
    except OSError as error:
        raise TransientFailure(f"clickstream file {file.name} cannot be read: {error}") from error


def _blocks_of_lines(source: ClickSource, file: ClickFile) -> Iterator[list[bytes]]:
    """The lines of a file without their line ends, in blocks of about BLOCK_BYTES."""
    rest, is_first = b"", True
    with source.open(file) as stream:
        while True:
            block, damage = _read_block(stream)
            if is_first:
                block, is_first = block.removeprefix(BYTE_ORDER_MARK), False
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
