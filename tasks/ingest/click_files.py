"""The click files at CLICKSTREAM_URI: the days that have a folder, what lies in it, and what lies beside.

A day's files lie in the folder YYYY-MM-DD, at any depth. A file is known by its path and its version (size
and modification time).
"""

import datetime as dt
import gzip
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow.fs as pafs

from blocks.lake_storage import store_failure
from blocks.settings.failures import PermanentFailure

ENDINGS = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
SHOWN = 3
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# Other spellings of a day, or what folders by year begin with: 20240116, 2024-1-16, dt=2024-01-16, year=2024.
LIKE_DAY = re.compile(r"(\w+=)?((19|20)\d\d([\W_]?W?\d{1,2}){0,4}|\d\d?[\W_]\d\d?[\W_](19|20)\d\d)", re.ASCII)


class ClickFile(NamedTuple):
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


class ClickSource:
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

    def files(self, days: list[dt.date]) -> tuple[list[ClickFile], list[str]]:
        """The files of these days, and the names of those that are no JSON lines."""
        found = [file for day in days for file in self._files(day)]
        usable = sorted(file for file in found if file.name.endswith(ENDINGS))
        return usable, sorted(file.name for file in found if file not in usable)

    def _files(self, day: dt.date) -> Iterator[ClickFile]:
        folder = f"{self.root.rstrip('/')}/{day.isoformat()}"
        for entry in self.filesystem.get_file_info(pafs.FileSelector(folder, recursive=True)):
            *between, name = entry.path.removeprefix(folder).strip("/").split("/")
            # What a writer has not finished yet, by the convention of Hadoop.
            is_hidden = any(part.startswith(("_", ".")) for part in between)
            if entry.type == pafs.FileType.File and not is_hidden:
                path = "/".join([day.isoformat(), *between, name])
                yield ClickFile(path, f"{entry.size}-{entry.mtime_ns}", entry.path)

    def address(self, file: ClickFile) -> str:
        """The URI of a file, for other readers."""
        return f"{self.uri.split('://')[0]}://{file.path}"

    def open(self, file: ClickFile) -> io.BufferedIOBase:
        """The file's bytes, uncompressed."""
        stream: io.BufferedIOBase = self.filesystem.open_input_stream(file.path, compression=None)
        return gzip.GzipFile(fileobj=stream) if file.name.endswith(".gz") else stream


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
