"""The pipeline's datasets by OpenLineage's names, with their schemas and the columns they are made of.

A dataset has the same name wherever a step reads or writes it, so that a receiver can put the steps in a row.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import url2pathname

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    column_lineage_dataset,
    documentation_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
    schema_dataset,
)
from openlineage.client.generated.base import DatasetFacet
from openlineage.client.naming import dataset as naming
from psycopg2.extensions import parse_dsn

from blocks.settings.settings import Settings
from lake.catalog import catalog
from lake.delta import Lake
from lake.quarantine import QUARANTINE_SCHEMA
from tasks.lineage.graph import ROWS, Dataset, Lineage, Ref

Fields = column_lineage_dataset.Fields
InputField = column_lineage_dataset.InputField
Transformation = column_lineage_dataset.Transformation
Field = schema_dataset.SchemaDatasetFacetFields
# A table of the shop that is named without its schema.
SCHEMA = "public"


class Datasets:
    """Makes OpenLineage's datasets of ours, by the names that the lineage has for them."""

    def __init__(self, settings: Settings, lineage: Lineage | None) -> None:
        self.settings, self.lake = settings, Lake(settings.lake_uri)
        self.known = {dataset.name: dataset for dataset in lineage.datasets} if lineage else {}

    def input(self, name: str, rows: int | None = None) -> InputDataset:
        """A dataset that a step has read, of which `rows` were new to it."""
        counted = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(rowCount=rows)
        return InputDataset(
            *self.place(name),
            facets=dict(self._facets(name, is_output=False)),
            inputFacets={} if rows is None else {"inputStatistics": counted},
        )

    def output(self, name: str, rows: int | None = None) -> OutputDataset:
        """A dataset that a step has written, `rows` of it."""
        counted = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
        return OutputDataset(
            *self.place(name),
            facets=dict(self._facets(name, is_output=True)),
            outputFacets={} if rows is None else {"outputStatistics": counted},
        )

    def mart(self, model: str) -> str:
        """The name of a model of dbt, with its schema."""
        return next((name for name in self.known if name.endswith(f".{model}")), f"gold.{model}")

    def origins(self, table: str) -> list[str]:
        """What an extract of a source table reads: the table, or what its query reads."""
        shop = self.known.get(f"shop.{table}")
        read = {ref.dataset for column in shop.columns.values() for ref in column.direct} if shop else set()
        return sorted(read) or [f"shop.{table}"]

    def place(self, name: str) -> tuple[str, str]:
        """The namespace and the name of a dataset; never a password."""
        layer, _, rest = name.partition(".")
        if layer in ("shop", "database"):
            return self._source(rest)
        if layer in ("bronze", "lake", "quarantine"):
            return _file(self.lake.uri(rest if layer == "lake" else name))
        return self._warehouse(name)

    def _source(self, table: str) -> tuple[str, str]:
        source = catalog()[table].source if table in catalog() else "table"
        if source == "file":
            return _file(self.settings.clickstream_uri)
        if source == "topic":
            host, _, port = self.settings.kafka_bootstrap_servers.split(",")[0].rpartition(":")
            return _named(naming.Kafka(host or "localhost", port or "9092", self.settings.inventory_topic))
        dsn = parse_dsn(self.settings.shop_dsn.get_secret_value())
        host, port = dsn.get("host", "localhost"), dsn.get("port", "5432")
        schema, _, name = table.rpartition(".")
        return _named(naming.Postgres(host, port, dsn.get("dbname", "postgres"), schema or SCHEMA, name))

    def _warehouse(self, name: str) -> tuple[str, str]:
        settings = self.settings
        if settings.warehouse == "snowflake":
            return f"snowflake://{settings.snowflake_account}", f"{settings.snowflake_database}.{name}"
        if settings.warehouse == "bigquery":
            return "bigquery", f"{settings.bigquery_project}.{name}"
        # OpenLineage has no words for DuckDB yet.
        return f"duckdb://{settings.duckdb_path}", name

    def _facets(self, name: str, is_output: bool) -> Iterator[tuple[str, DatasetFacet]]:
        dataset = self.known.get(name)
        if fields := self._fields(name, dataset):
            yield "schema", schema_dataset.SchemaDatasetFacet(fields=fields)
        if dataset and dataset.description:
            yield (
                "documentation",
                documentation_dataset.DocumentationDatasetFacet(description=dataset.description),
            )
        if dataset and is_output:
            columns = {column: self._made_of(dataset, column) for column in dataset.names}
            made = {column: fields for column, fields in columns.items() if fields.inputFields}
            if made:
                yield "columnLineage", column_lineage_dataset.ColumnLineageDatasetFacet(fields=made)

    @staticmethod
    def _fields(name: str, dataset: Dataset | None) -> list[Field]:
        """Its columns: with types where a contract says them, with words where the lineage has some."""
        layer, _, table = name.partition(".")
        table = table.removeprefix("silver.")
        types = {}
        if layer == "quarantine":
            types = {field.name: str(field.type) for field in QUARANTINE_SCHEMA}
        elif layer in ("bronze", "lake", "silver") and table in catalog():
            facts = catalog()[table]
            schema = facts.bronze_schema if layer == "bronze" and not facts.is_event else facts.silver_schema
            renamed = facts.warehouse_names if layer == "silver" else {}
            types = {renamed.get(field.name) or field.name: str(field.type) for field in schema}
        elif layer == "shop" and table in catalog():
            types = {column.name: column.type for column in catalog()[table].columns}
        if dataset is None:
            return [Field(name=column, type=type_name) for column, type_name in types.items()]
        return [
            Field(
                name=column, type=types.get(column), description=dataset.columns[column].description or None
            )
            for column in dataset.names
        ]

    def _made_of(self, dataset: Dataset, name: str) -> Fields:
        column = dataset.columns[name]
        refs = [(ref, "DIRECT") for ref in column.direct] + [(ref, "INDIRECT") for ref in column.indirect]
        return Fields(inputFields=[self._input_field(ref, kind) for ref, kind in refs if ref.column != ROWS])

    def _input_field(self, ref: Ref, kind: str) -> InputField:
        return InputField(*self.place(ref.dataset), ref.column, transformations=[Transformation(type=kind)])


def _named(name: naming.DatasetNaming) -> tuple[str, str]:
    return name.get_namespace(), name.get_name()


def _file(uri: str) -> tuple[str, str]:
    """By OpenLineage's rules for files: the file system, and the path in it."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        return _named(naming.LocalFileSystem(url2pathname(parts.path)))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", parts.path.lstrip("/")
