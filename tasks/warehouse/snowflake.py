"""The warehouse in a Snowflake database: PUT, COPY and MERGE."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from blocks.settings.settings import Settings
from blocks.snowflake_account import SnowflakeConnection, snowflake_connection
from tasks.warehouse.cloud import CloudSession, CloudWarehouse, Columns

TYPES = {
    "string": "varchar",
    "int64": "bigint",
    "int32": "int",
    "bool": "boolean",
    "double": "double",
    "date32[day]": "date",
}


class SnowflakeWarehouse(CloudWarehouse):
    """A database of a Snowflake account."""

    @staticmethod
    def place(settings: Settings) -> str:
        """The database."""
        return settings.snowflake_database

    @contextmanager
    def session(self) -> Iterator["SnowflakeSession"]:
        """A connection, closed at the end. Raises PipelineFailure."""
        with snowflake_connection(self.settings) as connection:
            yield SnowflakeSession(connection)

    def dbt_variables(self) -> dict[str, str]:
        """The environment variables that dbt/profiles.yml reads."""
        settings = self.settings
        return {
            "WAREHOUSE": "snowflake",
            "GOLD_SCHEMA": self.gold,
            "SNOWFLAKE_ACCOUNT": settings.snowflake_account,
            "SNOWFLAKE_USER": settings.snowflake_user,
            "SNOWFLAKE_PASSWORD": settings.snowflake_password.get_secret_value(),
            "SNOWFLAKE_PRIVATE_KEY": settings.snowflake_private_key.get_secret_value(),
            "SNOWFLAKE_ROLE": settings.snowflake_role,
            "SNOWFLAKE_WAREHOUSE": settings.snowflake_warehouse,
            "SNOWFLAKE_DATABASE": settings.snowflake_database,
            "SNOWFLAKE_HOST": settings.snowflake_host,
            "SNOWFLAKE_PORT": str(settings.snowflake_port),
            "SNOWFLAKE_PROTOCOL": settings.snowflake_protocol,
        }


@dataclass(frozen=True)
class SnowflakeSession(CloudSession):
    """A session of the account; names are not quoted, so Snowflake keeps them in upper case."""

    connection: SnowflakeConnection
    time = pa.timestamp("us")

    def rows(self, query: str) -> pa.RecordBatchReader:
        """The answer to a query; whole numbers come as int64, whichever type each of its chunks has."""
        cursor = self.connection.cursor()
        cursor.execute(query)
        chunks = cursor.fetch_arrow_batches()
        first = next(chunks, None)
        if first is None:
            first = cursor.fetch_arrow_all(force_return_table=True)
        schema = pa.schema(
            [
                pa.field(each.name.lower(), pa.int64() if pa.types.is_integer(each.type) else each.type)
                for each in first.schema
            ]
        )

        def batches() -> Iterator[pa.RecordBatch]:
            for chunk in [first, *chunks] if first.num_rows else []:
                yield from chunk.rename_columns(schema.names).cast(schema).to_batches()

        return pa.RecordBatchReader.from_batches(schema, batches())

    def execute(self, statement: str) -> int:
        """Run a statement; returns the number of rows inserted, changed or deleted."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.rowcount or 0

    def together(self, statements: list[str]) -> None:
        """Run statements that change rows in one transaction."""
        self.execute("begin")
        try:
            for statement in statements:
                self.execute(statement)
        except BaseException:
            self.execute("rollback")
            raise
        self.execute("commit")

    def tables(self, schema: str) -> dict[str, Columns]:
        """The tables and views of a schema; none if it does not exist."""
        found: dict[str, Columns] = {}
        columns = self.rows(
            "select lower(table_name) as table_name, lower(column_name) as column_name, data_type, "
            "coalesce(numeric_precision, 0) as digits, coalesce(numeric_scale, 0) as decimals "
            f"from information_schema.columns where table_schema = '{schema.upper()}' "
            "order by table_name, ordinal_position"
        )
        for row in columns.read_all().to_pylist():
            kind = f"{row['data_type']}({row['digits']}, {row['decimals']})"
            found.setdefault(row["table_name"], {})[row["column_name"]] = kind
        return found

    def type_of(self, column: pa.DataType) -> str:
        """Snowflake's type for a type of the lake; times are UTC without a zone, as in DuckDB."""
        if pa.types.is_decimal(column):
            return f"number({column.precision}, {column.scale})"
        if pa.types.is_timestamp(column):
            return "timestamp_ntz(6)"
        try:
            return TYPES[str(column)]
        except KeyError:
            raise TypeError(f"Snowflake has no type for {column}; add it here") from None

    def create(self, name: str, columns: Columns, key: str) -> None:
        """Make a table, if it is not there, clustered by its first date."""
        date = next((column for column, kind in columns.items() if kind == "date"), key)
        self.execute(f"create table if not exists {name} ({_listed(columns)}) cluster by ({date})")

    def create_incoming(self, name: str, columns: Columns) -> None:
        """Make a table, and a stage for its files, that go with the session."""
        self.execute(f"create temporary table {name} ({_listed(columns)})")
        self.execute(f"create temporary stage {name}")

    def copy_in(self, name: str, files: list[Path]) -> None:
        """Bring Parquet files to the stage, and from there into the table."""
        for file in files:
            self.execute(f"put 'file://{file}' @{name}/new auto_compress = false")
        self.execute(
            f"copy into {name} from @{name}/new file_format = (type = parquet use_logical_type = true) "
            "match_by_column_name = case_insensitive"
        )

    def drop(self, name: str) -> None:
        """Delete a table, if it is there."""
        self.execute(f"drop table if exists {name}")

    def clone(self, name: str, source: str) -> None:
        """Make or replace a table by a clone of another; its readers keep their right to read it."""
        self.execute(f"create or replace table {name} clone {source} copy grants")


def _listed(columns: Columns) -> str:
    return ", ".join(f"{column} {kind}" for column, kind in columns.items())
