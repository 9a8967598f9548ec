"""The warehouse in the datasets of a BigQuery project: load jobs and MERGE."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from google.api_core.exceptions import NotFound
from google.cloud.bigquery import (
    Client,
    CopyJobConfig,
    LoadJobConfig,
    QueryJob,
    SourceFormat,
    WriteDisposition,
)

from blocks.bigquery_project import REQUEST_TIMEOUT_SECONDS, RETRY, bigquery_client, key_content
from blocks.settings.settings import Settings
from tasks.warehouse.cloud import CloudSession, CloudWarehouse, Columns

JOB_TIMEOUT_SECONDS = 3600

TYPES = {
    "string": "string",
    "int64": "int64",
    "int32": "int64",
    "bool": "bool",
    "double": "float64",
    "date32[day]": "date",
}


class BigQueryWarehouse(CloudWarehouse):
    """The datasets of a project."""

    @staticmethod
    def place(settings: Settings) -> str:
        """The project."""
        return settings.bigquery_project

    @contextmanager
    def session(self) -> Iterator["BigQuerySession"]:
        """A client, closed at the end. Raises PipelineFailure."""
        with bigquery_client(self.settings) as client:
            yield BigQuerySession(client)

    def dbt_variables(self) -> dict[str, str]:
        """The environment variables that dbt/profiles.yml reads."""
        settings = self.settings
        variables = {
            "WAREHOUSE": "bigquery",
            "GOLD_SCHEMA": self.gold,
            "BIGQUERY_PROJECT": settings.bigquery_project,
            "BIGQUERY_LOCATION": settings.bigquery_location,
            "BIGQUERY_MAXIMUM_BYTES_BILLED": str(settings.bigquery_maximum_bytes_billed),
            "BIGQUERY_API_ENDPOINT": settings.bigquery_api_endpoint,
        }
        if key := key_content(settings):
            # In no file: dbt takes the key itself. A variable with this prefix appears in no log of dbt.
            return variables | {
                "GOOGLE_CLIENT_EMAIL": key["client_email"],
                "GOOGLE_TOKEN_URI": key["token_uri"],
                "DBT_ENV_SECRET_GOOGLE_PRIVATE_KEY": key["private_key"],
            }
        # Set but empty, Google's libraries would look for a file without a name.
        if file := settings.google_application_credentials.get_secret_value():
            variables["GOOGLE_APPLICATION_CREDENTIALS"] = file
        return variables


@dataclass(frozen=True)
class BigQuerySession(CloudSession):
    """A client; every statement is a job."""

    client: Client
    time = pa.timestamp("us", tz="UTC")

    def rows(self, query: str) -> pa.RecordBatchReader:
        """The answer to a query."""
        result = self._run(query).result(timeout=JOB_TIMEOUT_SECONDS, retry=RETRY)
        if not result.total_rows:
            return result.to_arrow(create_bqstorage_client=False).to_reader()
        batches = iter(result.to_arrow_iterable())
        first = next(batches)

        def all_batches() -> Iterator[pa.RecordBatch]:
            yield first
            yield from batches

        return pa.RecordBatchReader.from_batches(first.schema, all_batches())

    def execute(self, statement: str) -> int:
        """Run a statement; returns the number of rows inserted, changed or deleted."""
        job = self._run(statement)
        job.result(timeout=JOB_TIMEOUT_SECONDS, retry=RETRY)
        return job.num_dml_affected_rows or 0

    def together(self, statements: list[str]) -> None:
        """Run statements that change rows in one transaction, which an error rolls back."""
        self.execute("; ".join(["begin transaction", *statements, "commit transaction"]) + ";")

    def tables(self, schema: str) -> dict[str, Columns]:
        """The tables and views of a dataset; none if it does not exist."""
        found: dict[str, Columns] = {}
        try:
            columns = self.rows(
                f"select table_name, column_name, data_type from {schema}.INFORMATION_SCHEMA.COLUMNS "
                "order by table_name, ordinal_position"
            )
        except NotFound:
            return found
        for row in columns.read_all().to_pylist():
            found.setdefault(row["table_name"], {})[row["column_name"]] = row["data_type"]
        return found

    def type_of(self, column: pa.DataType) -> str:
        """BigQuery's type for a type of the lake."""
        if pa.types.is_decimal(column):
            return f"numeric({column.precision}, {column.scale})"
        if pa.types.is_timestamp(column):
            return "timestamp"
        try:
            return TYPES[str(column)]
        except KeyError:
            raise TypeError(f"BigQuery has no type for {column}; add it here") from None

    def create(self, name: str, columns: Columns, key: str) -> None:
        """Make a table, if it is not there, partitioned by the day of its first date and clustered by key."""
        date = next((column for column, kind in columns.items() if kind == "date"), None)
        partition = f"partition by {date}" if date else ""
        self.execute(f"create table if not exists {name} ({_listed(columns)}) {partition} cluster by {key}")

    def create_incoming(self, name: str, columns: Columns) -> None:
        """Make a table that BigQuery deletes after a day, if this process dies before it does."""
        self.execute(
            f"create table {name} ({_listed(columns)}) "
            "options (expiration_timestamp = timestamp_add(current_timestamp(), interval 1 day))"
        )

    def copy_in(self, name: str, files: list[Path]) -> None:
        """Append Parquet files to a table by load jobs, which cost nothing."""
        config = LoadJobConfig(
            source_format=SourceFormat.PARQUET,
            write_disposition=WriteDisposition.WRITE_APPEND,
            schema=self.client.get_table(name, retry=RETRY, timeout=REQUEST_TIMEOUT_SECONDS).schema,
        )
        for file in files:
            with file.open("rb") as content:
                job = self.client.load_table_from_file(
                    content, name, job_config=config, timeout=REQUEST_TIMEOUT_SECONDS
                )
            job.result(timeout=JOB_TIMEOUT_SECONDS, retry=RETRY)

    def drop(self, name: str) -> None:
        """Delete a table, if it is there."""
        self.client.delete_table(name, not_found_ok=True, retry=RETRY, timeout=REQUEST_TIMEOUT_SECONDS)

    def clone(self, name: str, source: str) -> None:
        """Make or replace a table by a copy job, which costs nothing but the storage."""
        config = CopyJobConfig(write_disposition=WriteDisposition.WRITE_TRUNCATE)
        job = self.client.copy_table(
            source, name, job_config=config, retry=RETRY, timeout=REQUEST_TIMEOUT_SECONDS
        )
        job.result(timeout=JOB_TIMEOUT_SECONDS, retry=RETRY)

    def _run(self, statement: str) -> QueryJob:
        return self.client.query(statement, retry=RETRY, timeout=REQUEST_TIMEOUT_SECONDS)


def _listed(columns: Columns) -> str:
    return ", ".join(f"{column} {kind}" for column, kind in columns.items())
