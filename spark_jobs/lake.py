"""Where the lake's tables are, what is new in them, and how far their readers have come.

A table's address is built from its name (`silver.orders`) here and nowhere else. Writes by Spark live
in `spark_jobs/upsert.py`; this module only reads Delta logs and sets progress marks.
"""

from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import TableNotFoundError
from pyspark.sql import DataFrame, SparkSession


@dataclass(frozen=True)
class Lake:
    """The medallion lake below one root URI: `<root>/<layer>/<table>`, each a Delta table."""

    root: str

    def uri(self, name: str) -> str:
        """The address of a table named `<layer>.<table>`."""
        layer, table = name.split(".")
        return f"{self.root.rstrip('/')}/{layer}/{table}"

    def table(self, name: str, version: int | None = None) -> DeltaTable | None:
        """The Delta table as of `version` (default: now), or None if it does not exist yet."""
        try:
            return DeltaTable(self.uri(name), version=version)
        except TableNotFoundError:
            return None

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
        files = table.file_uris()
        if version is not None:
            before = self.table(name, version=version)
            files = sorted(set(files) - set(before.file_uris() if before else []))
        return [_as_uri(file) for file in files], table.version()

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
