"""Which files of a Delta table hold the rows that are new since a version.

Of an append-only table these are the files added since, of an upserted one those that are still live. But a
compaction rewrites rows that are not new: its files do not count, and files that it replaced count on, from
where they still lie until a vacuum. Where that does not give the answer, everything does: readers compare
what they are given with what they have, so it costs time and loses nothing.
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
    return found if _exist(found - live) else live


def _since(table: DeltaTable, since: int, live: set[str]) -> set[str]:
    commits = table.version() - since
    if commits == 0:
        return set()
    if commits < 0:
        # A table of that name was begun anew.
        return live
    history = table.history(commits)
    compactions = sorted(each["version"] for each in history if each["operation"] == COMPACTION)
    new: set[str] = set()
    # What compactions have made of new files, or of each other's.
    made_of_new: set[str] = set()
    at = _files(table, since)
    for compaction in [*compactions, None]:
        before = live if compaction is None else _files(table, compaction - 1)
        removed = at - before
        if removed & made_of_new:
            # Changed since: which of the files it was made of held the changed rows, no log tells.
            return live
        new = (new - removed) | (before - at)
        if compaction is not None:
            at = _files(table, compaction)
            if (before - at) & (new | made_of_new):
                made_of_new |= at - before
    return new


def _files(table: DeltaTable, version: int) -> set[str]:
    return set(DeltaTable(table.table_uri, version=version).file_uris())


def _exist(files: set[str]) -> bool:
    """Whether no vacuum has taken one of them."""
    for file in files:
        filesystem, path = pafs.FileSystem.from_uri(as_uri(file))
        if filesystem.get_file_info(path).type == pafs.FileType.NotFound:
            return False
    return True


def as_uri(file: str) -> str:
    """The address of a file with its scheme, which delta-rs leaves out on disk."""
    return file if "://" in file else f"file://{file}"
