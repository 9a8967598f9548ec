"""The feature tables' facts, from their contracts: expectations/contracts/features/<table>.yaml, in ODCS."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, cast

import pyarrow as pa
from open_data_contract_standard.model import OpenDataContractStandard

from lake.catalog import CONTRACTS, catalog
from lake.source_table import arrow_type

Entity = Literal["customers", "products"]
# What every feature table has besides its entity, by the names that Feast's sources ask for.
EVENT_TIMESTAMP, CREATED_TIMESTAMP, FEATURE_DATE = "event_timestamp", "created_timestamp", "feature_date"


@dataclass(frozen=True)
class FeatureTable:
    """A feature table. Grain: one row per `key` and day."""

    name: str
    entity: Entity
    """The source table whose rows are described."""
    key: str
    schema: pa.Schema
    description: str
    """What it is, and what one row is."""
    descriptions: dict[str, str]
    """What each column means."""

    @property
    def lake_name(self) -> str:
        """Its name in the lake, and in the warehouse."""
        return f"features.{self.name}"

    @property
    def features(self) -> list[str]:
        """The columns that a model may use."""
        others = (self.key, EVENT_TIMESTAMP, CREATED_TIMESTAMP, FEATURE_DATE, "is_reconstructed")
        return [name for name in self.schema.names if name not in others]


@cache
def feature_tables() -> dict[Entity, FeatureTable]:
    """All feature tables, by their entity."""
    tables = map(_read, sorted((CONTRACTS / "features").glob("*.yaml")))
    return {table.entity: table for table in tables}


def _read(file: Path) -> FeatureTable:
    [table] = OpenDataContractStandard.from_file(str(file)).schema_ or []
    custom = {each.property: each.value for each in table.customProperties or []}
    entity = cast(Entity, custom["entity"])
    source = catalog()[entity]
    columns = [
        # A shop's keys may be of another type than ours.
        (column.name, source.column(source.key).arrow_type if column.name == source.key else kind)
        for column in table.properties or []
        for kind in [arrow_type(str(column.physicalType))]
    ]
    return FeatureTable(
        name=file.stem,
        entity=entity,
        key=source.key,
        schema=pa.schema(columns),
        description=f"{table.description} {table.dataGranularityDescription}",
        descriptions={str(column.name): str(column.description) for column in table.properties or []},
    )
