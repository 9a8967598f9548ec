"""Where the lake's tables are, what is new in them, and how far their readers have come.

A table's address is built from its name (`silver.orders`) here and nowhere else. Writes by Spark live
in `spark_jobs/upsert.py`; this module only reads Delta logs, makes empty tables and sets progress marks.
"""

import re
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.dataset as pads
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError
from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Lake:
    """The medallion lake below one root URI: `<root>/<layer>/<table>`, each a Delta table."""

    root: str

    def __post_init__(self) -> None:
        # Of a space, Sail makes "%20" in one place and "%2520" in another, Spark "%20" and delta-rs a space:
        # each would find an empty lake where the others wrote.
        if not re.fullmatch(r"[\w./@:~=+-]+", self.root, re.ASCII):
            raise ValueError(f"LAKE_URI '{self.root}' may hold ASCII letters, digits and ./_@:~=+- only")

    def uri(self, name: str) -> str:
        """The address of a table named `<layer>.<table>`."""
        layer, table = name.split(".")
        return f"{self.root.rstrip('/')}/{layer}/{table}"

    def table(self, name: str) -> DeltaTable | None:
        """The Delta table as it is now, or None if it does not exist yet."""
        try:
            return DeltaTable(self.uri(name))
        except TableNotFoundError:
            return None

    def ensure(self, name: str, schema: pa.Schema) -> DeltaTable:
        """The Delta table, made empty at first use; of several that make it at once, one does."""
        table = self.table(name)
        if table is None:
            with suppress(DeltaError):
                DeltaTable.create(self.uri(name), schema, mode="error")
            table = DeltaTable(self.uri(name))
        return table

    def read(self, spark: SparkSession, name: str) -> DataFrame:
        """The table's present rows."""
        return spark.read.format("delta").load(self.uri(name))

    def files_since(self, name: str, version: int | None) -> tuple[list[str], int | None]:
        """The Parquet files that commits after `version` added and that are still live.

        Returns (addresses, present version). For an append-only table these hold exactly the rows added
        since; for an upserted one they also hold the unchanged rows that were rewritten beside them.
        """
        table = self.table(name)
        if table is None:
            return [], None
        files = set(table.file_uris()) - self._files_at(name, version)
        return sorted(_as_uri(file) for file in files), table.version()

    def rows_since(self, name: str, version: int | None) -> pads.Dataset:
        """The rows of `files_since` as an Arrow dataset, read lazily."""
        table = DeltaTable(self.uri(name))
        dataset = table.to_pyarrow_dataset()
        before = {file.rsplit("/", 1)[-1] for file in self._files_at(name, version)}
        added = [part for part in dataset.get_fragments() if part.path.rsplit("/", 1)[-1] not in before]
        return pads.FileSystemDataset(added, dataset.schema, dataset.format, dataset.filesystem)

    def _files_at(self, name: str, version: int | None) -> set[str]:
        if version is None:
            return set()
        try:
            return set(DeltaTable(self.uri(name), version=version).file_uris())
        except DeltaError:
            # The log of that version has been cleaned up: everything counts as new.
            return set()

    def progress(self, name: str, reader_of: str) -> int | None:
        """The version of `reader_of` up to which this table has taken everything in, or None."""
        table = self.table(name)
        return table.transaction_version(reader_of) if table else None

    def mark_progress(self, name: str, reader_of: str, version: int) -> None:
        """Record, as a Delta application transaction, that everything up to `version` is in."""
        table = DeltaTable(self.uri(name))
        if table.transaction_version(reader_of) == version:
            return
        write_deltalake(
            table,
            pa.schema(table.schema().to_arrow()).empty_table(),
            mode="append",
            commit_properties=CommitProperties(app_transactions=[Transaction(reader_of, version)]),
        )


def _as_uri(path: str) -> str:
    return path if "://" in path else f"file://{path}"
