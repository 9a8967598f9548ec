"""The reorder plan's part of the lineage, as its table says; a test holds that against the plan."""

from collections.abc import Iterator

from lake.catalog import catalog
from tasks.lineage.graph import ROWS, Column, Dataset, Ref
from tasks.lineage.lake import MADE
from tasks.reorder.policy_table import COUNTED_BY, KEY, LAKE_NAME, SOURCES, WAREHOUSE_NAME, policy_schema

FORECAST = "docs/features.md, Reorders"


def reorder_datasets() -> Iterator[Dataset]:
    """The plan in the lake and its copy in the warehouse, made of the source tables that the shop has."""
    above = f"lake.{LAKE_NAME}"
    yield Dataset(
        name=above,
        layer="lake",
        description="What is known of a product's reorders beyond the rule of days.",
        columns={**{name: _planned(name) for name in policy_schema().names}, ROWS: _rows()},
    )
    copied = {
        name: Column(expression="loaded as it is", direct=[Ref(above, name)])
        for name in policy_schema().names
    }
    yield Dataset(
        name=WAREHOUSE_NAME,
        layer="silver",
        description="The warehouse's copy of the reorder plan; mostly empty.",
        columns={
            **copied,
            "load_id": Column(made=MADE["load_id"]),
            ROWS: Column(description="Its rows.", direct=[Ref(above, ROWS)]),
        },
    )


def _planned(name: str) -> Column:
    direct = _in_silver(SOURCES[name])
    return Column(
        expression=FORECAST,
        direct=direct,
        indirect=_in_silver(COUNTED_BY) if any(ref.dataset.endswith("orders") for ref in direct) else [],
        made="" if direct else "The settings: the shop has no table of terms.",
    )


def _in_silver(sources: tuple[str, ...]) -> list[Ref]:
    split = (source.partition(".") for source in sources)
    return [Ref(f"lake.silver.{table}", column) for table, _, column in split if table in catalog()]


def _rows() -> Column:
    return Column(
        description="Its rows.", direct=[ref._replace(column=ROWS) for ref in _in_silver(SOURCES[KEY])]
    )
