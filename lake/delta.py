"""The lake's tables: their addresses, their new rows, and the progress of their readers.

A table's address is built from its name (`silver.orders`) here and nowhere else. Writes by Spark live
in `spark_jobs/tables.py`; this module only reads Delta logs, makes empty tables and sets progress marks.
"""

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.fs as pafs
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake import Schema as DeltaSchema
from deltalake.exceptions import DeltaError, TableNotFoundError

from lake.new_files import COMPACTION, as_uri, exist, new_files
from lake.right import check_right

# The operations that change no row, by the beginnings of their names.
MAINTENANCE = (COMPACTION, "VACUUM", "SET TBLPROPERTIES")
# The folder of the tables that a rebuild makes, before they take the place of the live ones.
REBUILT = "rebuilt"
# The progress of a reader that is to begin again: a mark can be moved, and not be taken away.
UNREAD = -1


@dataclass(frozen=True)
class Lake:
    """The medallion lake below one root URI: `<root>/<layer>/<table>`, each a Delta table."""

    root: str
    beside: tuple[str, ...] = ()
    """The source tables whose silver and quarantine, and with them all of gold, are a rebuild's own."""

    def __post_init__(self) -> None:
        # A space becomes "%20" or "%2520" in Sail, "%20" in Spark, and stays a space in delta-rs: each engine
        # would find an empty lake where the others wrote.
        if not re.fullmatch(r"[\w./@:~=+-]+", self.root, re.ASCII):
            raise ValueError(f"LAKE_URI '{self.root}' may hold ASCII letters, digits and ./_@:~=+- only")

    def uri(self, name: str) -> str:
        """The address of a table named `<layer>.<table>`."""
        layer, table = name.split(".")
        is_beside = layer in ("silver", "quarantine") and table in self.beside
        is_beside |= layer == "gold" and bool(self.beside)
        return "/".join([self.root.rstrip("/"), *([REBUILT] if is_beside else []), layer, table])

    def live(self) -> "Lake":
        """The lake that everybody reads."""
        return Lake(self.root)

    def table(self, name: str) -> DeltaTable | None:
        """The Delta table as it is now, or None if it does not exist yet."""
        try:
            return DeltaTable(self.uri(name))
        except TableNotFoundError:
            return None

    def ensure(self, name: str, schema: pa.Schema) -> DeltaTable:
        """The Delta table, made empty at first use. Several processes may call this at once: one makes it."""
        table = self.table(name)
        if table is None:
            with suppress(DeltaError):
                DeltaTable.create(self.uri(name), schema, mode="error")
            table = DeltaTable(self.uri(name))
        return table

    def add_columns(self, name: str, schema: pa.Schema) -> None:
        """Give the table, if it exists, the columns of `schema` that it lacks; they are null in its rows."""
        table = self.table(name)
        if table is None:
            return
        held = {field.name for field in table.schema().fields}
        missing = [field for field in schema if field.name not in held]
        if missing:
            fields = DeltaSchema.from_arrow(pa.schema(missing)).fields
            table.alter.add_columns(fields, commit_properties=commit())

    def tables(self) -> list[str]:
        """The names of all tables, `<layer>.<table>`, sorted."""
        # A store may list folders whose last file is gone.
        return [name for name in self.folders() if self.table(name)]

    def folders(self) -> list[str]:
        """The names, `<layer>.<table>`, of all folders that may hold a table, sorted; none is opened."""
        filesystem, root = pafs.FileSystem.from_uri(self.root)
        folders = filesystem.get_file_info(pafs.FileSelector(root, allow_not_found=True, recursive=False))
        names = [
            f"{layer.base_name}.{table.base_name}"
            for layer in folders
            if layer.type == pafs.FileType.Directory
            for table in filesystem.get_file_info(pafs.FileSelector(layer.path))
            if table.type == pafs.FileType.Directory
        ]
        return sorted(name for name in names if not name.startswith(f"{REBUILT}."))

    def files_since(self, name: str, version: int | None) -> tuple[list[str], int | None]:
        """The Parquet files that hold the rows new since `version` (lake/new_files.py).

        Returns (addresses, present version). For an append-only table these hold exactly the rows added
        since; for an upserted one they also hold the unchanged rows that were rewritten beside them.
        """
        table = self.table(name)
        if table is None:
            return [], None
        return sorted(map(as_uri, new_files(table, version))), table.version()

    def rows_since(self, name: str, version: int | None) -> pads.Dataset:
        """The rows of `files_since` as an Arrow dataset, read lazily."""
        table = DeltaTable(self.uri(name))
        return rows_of(table, new_files(table, version))

    def has_lost_rows_since(self, name: str, version: int) -> bool:
        """Whether rows were deleted after `version`: of these the files new since say nothing."""
        return any(
            each["operation"] == "DELETE"
            or int(each.get("operationMetrics", {}).get("num_target_rows_deleted", 0)) > 0
            for each in _commits_after(DeltaTable(self.uri(name)), version)
        )

    def is_only_appended_since(self, name: str, version: int) -> bool:
        """Whether all that was done to the table after `version` was to add rows, and to maintain it."""
        table = DeltaTable(self.uri(name))
        return table.version() >= version and all(
            each["operation"].startswith(MAINTENANCE) or each["operationParameters"].get("mode") == "Append"
            for each in _commits_after(table, version)
        )

    def has_values(self, name: str, column: str) -> bool:
        """Whether a column is not null in some row of a table, by the statistics in its log."""
        table = self.table(name)
        actions = table.get_add_actions(flatten=True) if table else None
        if actions is None or f"null_count.{column}" not in actions.schema.names:
            return False
        nulls, rows = actions[f"null_count.{column}"].to_pylist(), actions["num_records"].to_pylist()
        # A file that was written before there was the column has no number.
        return any(some is not None and some < every for some, every in zip(nulls, rows, strict=True))

    def is_as_of(self, name: str, version: int | None) -> bool:
        """True if the table still has the files of that version: later commits hold progress marks alone."""
        before = self._files_of(name, version)
        return before is not None and before == set(DeltaTable(self.uri(name)).file_uris())

    def replaced_files(self, name: str, version: int | None) -> tuple[list[str], list[str]] | None:
        """The addresses of the files that went since `version`, and of those that came; None if unknown.

        They hold the rows that have changed since, and unchanged ones that were rewritten beside them.
        """
        before = self._files_of(name, version)
        if before is None:
            return None
        live = set(DeltaTable(self.uri(name)).file_uris())
        if not exist(before - live):
            return None
        return sorted(map(as_uri, before - live)), sorted(map(as_uri, live - before))

    def _files_of(self, name: str, version: int | None) -> set[str] | None:
        """The files of a version of a table; None if they are not known."""
        if version is None:
            return None
        try:
            return set(DeltaTable(self.uri(name), version=version).file_uris())
        except DeltaError:
            # The log of that version has been cleaned up, or the table was made anew.
            return None

    def bytes_since(self, name: str, version: int | None = None) -> int:
        """Bytes of the live files new since `version`, or of the whole table; 0 if it does not exist."""
        table = self.table(name)
        if table is None:
            return 0
        new = {file.rsplit("/", 1)[-1] for file in new_files(table, version)}
        actions = table.get_add_actions(flatten=True)
        sizes = zip(actions["path"].to_pylist(), actions["size_bytes"].to_pylist(), strict=True)
        return sum(size for path, size in sizes if path.rsplit("/", 1)[-1] in new)

    def progress(self, name: str, reader_of: str) -> int | None:
        """The version of the table `reader_of` up to which table `name` holds everything, or None."""
        table = self.table(name)
        return progress_of(table, reader_of) if table else None

    def mark_progress(self, name: str, reader_of: str, version: int) -> None:
        """Record, as a Delta application transaction, that table `name` holds everything up to `version`."""
        table = DeltaTable(self.uri(name))
        if table.transaction_version(reader_of) == version:
            return
        write_deltalake(
            table,
            pa.schema(table.schema().to_arrow()).empty_table(),
            mode="append",
            commit_properties=commit({reader_of: version}),
        )


def commit(marks: Mapping[str, int] | None = None) -> CommitProperties:
    """The properties of a commit that sets `marks`, as Delta application transactions; made just before it.

    Raises if this process has held the right to write the lake, and lost it (lake/right.py).
    """
    check_right()
    return CommitProperties(app_transactions=[Transaction(*mark) for mark in (marks or {}).items()])


def _commits_after(table: DeltaTable, version: int) -> list[dict[str, Any]]:
    """What the table's log says of its commits after `version`."""
    commits = table.version() - version
    return table.history(commits) if commits > 0 else []


def progress_of(table: DeltaTable, reader_of: str) -> int | None:
    """The progress marked in an open table, or None: nothing was read, or all is to be read again."""
    version = table.transaction_version(reader_of)
    return None if version == UNREAD else version


def rows_of(table: DeltaTable, files: Collection[str]) -> pads.Dataset:
    """The rows of these files of the table as an Arrow dataset, read lazily."""
    dataset = table.to_pyarrow_dataset()
    # Made anew, also because the statistics that the dataset's own parts carry take a column that a file
    # lacks for one without nulls. Files that a compaction has replaced still lie beside the live.
    names = sorted({file.rsplit("/", 1)[-1] for file in files})
    parts = [dataset.format.make_fragment(name, dataset.filesystem) for name in names]
    return pads.FileSystemDataset(parts, dataset.schema, dataset.format, dataset.filesystem)
