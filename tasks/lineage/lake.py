"""The lake's part of the lineage, from the shop's columns to silver's, and to the gold tables of Spark.

What a column of silver is made of is said by its contract, and of a gold table by its job. Tests hold both
against what the jobs do.
"""

from collections.abc import Iterator

from lake.catalog import catalog
from lake.source_table import BRONZE_ONLY, DELETED_AT, READ_AT, SourceTable
from spark_jobs.gold.jobs import GOLD_JOBS
from tasks.lineage.graph import ROWS, Column, Dataset, Ref

PLACES = {
    "table": "Table of the shop's PostgreSQL",
    "file": "JSON lines in files",
    "topic": "Messages in Kafka",
}
# What the pipeline itself writes beside a source's columns.
MADE = {
    READ_AT: "The extract: when the version was read.",
    DELETED_AT: "The extract: when it was noticed that the row is gone.",
    **dict.fromkeys(BRONZE_ONLY.names, "The extract."),
    "source_file": "The reader of the files: where the line was found.",
    "line_number": "The reader of the files: where the line was found.",
    "load_id": "The load into the warehouse: its number.",
}


def lake_datasets() -> Iterator[Dataset]:
    """The shop's tables, bronze, silver in the lake and in the warehouse; then the gold tables of Spark."""
    for table in catalog().values():
        yield _shop(table)
        if table.source == "table":
            yield _bronze(table)
        yield _silver(table)
        yield _warehouse(table)
    yield from map(_gold, GOLD_JOBS)


def _shop(table: SourceTable) -> Dataset:
    described = {
        column.sources[0]: column.description for column in table.columns if len(column.sources) == 1
    }
    names = dict.fromkeys(
        name for column in table.columns if column.name not in MADE for name in column.sources
    )
    return Dataset(
        name=f"shop.{table.name}",
        layer="shop",
        description=f"{PLACES[table.source]}. {table.description}",
        columns={name: Column(description=described.get(name, "")) for name in names} | _rows(),
    )


def _bronze(table: SourceTable) -> Dataset:
    columns = {
        column.name: Column(
            description=column.description,
            expression="copied as it is",
            direct=[Ref(f"shop.{table.name}", name) for name in column.sources],
        )
        for column in table.columns
    }
    made = {name: Column(made=MADE[name]) for name in table.bronze_schema.names if name not in columns}
    return Dataset(
        name=f"bronze.{table.name}",
        layer="bronze",
        description=f"Every version of {table.name} that was ever read.",
        columns={**columns, **made, **_rows(f"shop.{table.name}")},
    )


def _silver(table: SourceTable) -> Dataset:
    """The lake's silver; events are read out of bronze's lines or messages, so straight from the source."""
    above = f"bronze.{table.name}" if table.source == "table" else f"shop.{table.name}"
    order = [Ref(above, name) for name in (READ_AT, table.cursor)] if table.source == "table" else []
    columns = {}
    for name in table.silver_schema.names:
        given = [column for column in table.columns if column.name == name]
        if name in MADE:
            columns[name] = Column(description=given[0].description if given else "", made=MADE[name])
            continue
        sources = [name] if table.source == "table" else given[0].sources
        columns[name] = Column(
            description=given[0].description,
            expression="the newest valid version"
            if table.source == "table"
            else f"read out of the source's {'line' if table.source == 'file' else 'message'}",
            direct=[Ref(above, source) for source in sources],
            indirect=[ref for ref in order if ref.column not in sources],
        )
    return Dataset(
        name=f"lake.silver.{table.name}",
        layer="lake",
        description=f"{table.description} {table.grain} The lake's silver.",
        columns={**columns, **_rows(above)},
    )


def _warehouse(table: SourceTable) -> Dataset:
    above = f"lake.silver.{table.name}"
    names = {name: table.warehouse_names.get(name, name) for name in table.silver_schema.names}
    columns = {
        warehouse_name: Column(
            description=table.column(name).description if name in table.schema.names else MADE[name],
            expression="loaded as it is",
            direct=[Ref(above, name)],
        )
        for name, warehouse_name in names.items()
        if warehouse_name
    }
    made = {"load_id": Column(made=MADE["load_id"])}
    return Dataset(
        name=f"silver.{table.name}",
        layer="silver",
        description=f"{table.description} {table.grain} The warehouse's copy.",
        columns={**columns, **made, **_rows(above)},
    )


def _gold(name: str) -> Dataset:
    job = GOLD_JOBS[name]
    columns = {
        column: Column(
            expression=f"spark_jobs/gold/{name}.py",
            direct=[
                Ref(f"lake.silver.{table}", source)
                for table, _, source in (each.partition(".") for each in sources)
            ],
        )
        for column, sources in job.sources.items()
    }
    return Dataset(
        name=f"lake.gold.{name}",
        layer="lake",
        description="Table of the lake, written by Spark, for whoever reads the lake.",
        columns={**columns, **_rows("lake.silver.orders")},
    )


def _rows(above: str | None = None) -> dict[str, Column]:
    return {ROWS: Column(description="Its rows.", direct=[Ref(above, ROWS)] if above else [])}
