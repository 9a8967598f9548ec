"""The part of the lineage that models read: feature tables, by their SQL, and the scores made of them."""

from collections.abc import Iterator

from lake.catalog import catalog
from lake.source_table import SourceTable
from tasks.features.contract import FEATURE_DATE, Entity, FeatureTable, feature_tables
from tasks.features.queries import feature_query
from tasks.features.tables import SOURCES
from tasks.features.warehouse_copy import ROW_KEY
from tasks.lineage.graph import ROWS, Column, Dataset, Ref
from tasks.lineage.lake import MADE
from tasks.lineage.sql import Select

# Written with the extra ml, which the lineage does without: a test holds both against scoring.py.
SCORES = "gold.repeat_purchase_scores"


def feature_datasets() -> Iterator[Dataset]:
    """The versions that features are made of, the feature tables of lake and warehouse, and the scores."""
    for name in SOURCES:
        yield _versions(catalog()[name])
    for entity, table in feature_tables().items():
        yield _lake(entity, table)
        yield _warehouse(table)
    yield _scores(feature_tables()["customers"])


def _versions(table: SourceTable) -> Dataset:
    bronze = f"bronze.{table.name}"
    columns = {
        name: _version(bronze, name) for name in table.schema.names if not table.column(name).is_personal
    }
    made = {name: Column(made=MADE[name]) for name in table.silver_schema.names if name in MADE}
    return Dataset(
        name=f"lake.versions.{table.name}",
        layer="lake",
        description=f"Every valid version of {table.name}, typed, without what is personal.",
        columns={**columns, **made, ROWS: Column(description="Its rows.", direct=[Ref(bronze, ROWS)])},
    )


def _version(bronze: str, name: str) -> Column:
    return Column(expression="every valid version", direct=[Ref(bronze, name)])


def _lake(entity: Entity, table: FeatureTable) -> Dataset:
    versions = {f"{name}_versions": _versions(catalog()[name]) for name in ("orders", entity)}
    query = feature_query(entity, is_reconstructed=False)
    columns = Select(query, {name: dataset.names for name, dataset in versions.items()}).columns()
    for name, column in columns.items():
        column.description = table.descriptions.get(name, column.description)
        column.made = "" if column.direct else "The refresh of the feature tables, of the row's day."
        for refs in (column.direct, column.indirect):
            refs[:] = [Ref(versions[ref.dataset].name, ref.column) for ref in refs]
    return Dataset(
        name=f"lake.{table.lake_name}",
        layer="lake",
        description=f"{table.description} The lake's.",
        columns=columns,
    )


def _warehouse(table: FeatureTable) -> Dataset:
    above = f"lake.{table.lake_name}"
    return Dataset(
        name=table.lake_name,
        layer="features",
        description=f"{table.description} The warehouse's copy.",
        columns={
            ROW_KEY: Column(
                expression="the key and the day", direct=[Ref(above, table.key), Ref(above, FEATURE_DATE)]
            ),
            **{
                name: Column(description=description, expression="loaded as it is", direct=[Ref(above, name)])
                for name, description in table.descriptions.items()
            },
            "load_id": Column(made=MADE["load_id"]),
            ROWS: Column(description="Its rows.", direct=[Ref(above, ROWS)]),
        },
    )


def _scores(table: FeatureTable) -> Dataset:
    """The model reads every feature, and learns from which customers ordered later."""
    features = [Ref(f"lake.{table.lake_name}", name) for name in table.features]
    day = [Ref(f"lake.{table.lake_name}", FEATURE_DATE)]
    outcome = [Ref("lake.versions.orders", name) for name in ("order_date", "status")]
    learned = Column(expression="tasks/repeat_purchase/model.py", direct=features, indirect=outcome)
    return Dataset(
        name=SCORES,
        layer="gold",
        description="Who orders again within 30 days, by the example of a model (docs/features.md).",
        columns={
            table.key: Column(
                description="The customer.", direct=[Ref(f"lake.{table.lake_name}", table.key)]
            ),
            "score": learned.model_copy(
                update={"description": "The probability that the customer orders, 0 to 1."}
            ),
            "decile": learned.model_copy(
                update={"description": "Its tenth of all scores; 1 has the highest."}
            ),
            FEATURE_DATE: Column(description="The day whose features were scored.", direct=day),
            "horizon_days": Column(
                description="Days within which the order is expected.", made="The model: a constant."
            ),
            "trained_until": Column(
                description="The last feature day that the model learned from.", direct=day
            ),
            ROWS: Column(description="Its rows.", direct=[Ref(f"lake.{table.lake_name}", ROWS)]),
        },
    )
