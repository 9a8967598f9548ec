"""The files of a Delta table that hold the rows new since a version.

- append-only table: the files added since
- upserted table: those of them that are still live

A compaction rewrites rows that are not new: its files do not count, and the files that it replaced still
count, as long as no vacuum has deleted them. If this gives no answer, all live files are the answer: readers
compare the rows with those that they have, so it costs time and loses nothing.
"""

import pyarrow.fs as pafs
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

COMPACTION = "OPTIMIZE"


def new_files(table: DeltaTable, since: int | None) -> set[str]:
    """The addresses of the files, as `table.file_uris` spells them; all live ones if `since` is None."""
    live = set(table.file_uris())
    try:
        found = live if since is None else _since(table, since, live)
    except DeltaError:
        # The log of that version has been cleaned up.
        return live
    return found if exist(found - live) else live


def _since(table: DeltaTable, since: int, live: set[str]) -> set[str]:
    commits = table.version() - since
    if commits == 0:
        return set()
    if commits < 0:
        # The table was made anew under the same name.
        return live
    history = table.history(commits)
    compactions = sorted(each["version"] for each in history if each["operation"] == COMPACTION)
    new: set[str] = set()
    # Files that compactions have made of new files, or of such files.
    made_of_new: set[str] = set()
    at = _files(table, since)
    for compaction in [*compactions, None]:
        before = live if compaction is None else _files(table, compaction - 1)
        removed = at - before
        if removed & made_of_new:
            # Changed since: no log says which of the compacted files held the changed rows.
            return live
        new = (new - removed) | (before - at)
        if compaction is not None:
            at = _files(table, compaction)
            if (before - at) & (new | made_of_new):
                made_of_new |= at - before
    return new


def _files(table: DeltaTable, version: int) -> set[str]:
    return set(DeltaTable(table.table_uri, version=version).file_uris())


def exist(files: set[str]) -> bool:
    """Whether these files lie in the store: True if no vacuum has deleted one of them."""
    for file in files:
        filesystem, path = pafs.FileSystem.from_uri(as_uri(file))
        if filesystem.get_file_info(path).type == pafs.FileType.NotFound:
            return False
    return True


def as_uri(file: str) -> str:
    """The address of a file with its scheme, which delta-rs leaves out on disk."""
    return file if "://" in file else f"file://{file}"
