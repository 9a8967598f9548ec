"""The warehouse's part of the lineage, from silver to the marts: read from the SQL that dbt compiles."""

from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

from sqlglot.errors import SqlglotError

from blocks.settings.failures import PermanentFailure
from tasks.lineage.graph import Column, Dataset, Layer, Ref
from tasks.lineage.sql import Select

Node = dict[str, Any]
LAYERS: dict[str, Layer] = {
    "staging": "staging",
    "intermediate": "intermediate",
    "snapshots": "snapshots",
    "gold": "gold",
}
# A snapshot's own columns, by what it is configured with.
SNAPSHOT = {
    "dbt_scd_id": ("unique_key", "updated_at"),
    "dbt_updated_at": ("updated_at",),
    "dbt_valid_from": ("updated_at",),
    "dbt_valid_to": ("updated_at",),
}
# A table of days, which no column of ours comes from.
TIME_SPINE = "time_spine"


def warehouse_datasets(manifest: Node, silver: list[Dataset]) -> Iterator[Dataset]:
    """Every model and snapshot of a compiled manifest, each after those that it reads.

    `silver` are the tables that dbt begins with. Raises PermanentFailure if a model reads a column that is
    not there.
    """
    nodes = {
        key: node for key, node in manifest["nodes"].items()
        if node["resource_type"] in ("model", "snapshot") and node["name"] != TIME_SPINE
    }  # fmt: skip
    tables = {dataset.name: dataset.names for dataset in silver}
    order = TopologicalSorter({key: node["depends_on"]["nodes"] for key, node in nodes.items()})
    for key in order.static_order():
        if key in nodes:
            dataset = _dataset(nodes[key], tables)
            tables[dataset.name] = dataset.names
            yield dataset


def _dataset(node: Node, tables: dict[str, list[str]]) -> Dataset:
    name = f"{node['schema']}.{node['name']}"
    try:
        columns = Select(node["compiled_code"], tables).columns()
    except SqlglotError as error:
        raise PermanentFailure(
            f"dbt/{node['original_file_path']}: {' '.join(str(error).split())}; correct it, or what it reads"
        ) from error
    if node["resource_type"] == "snapshot":
        columns |= _snapshot_columns(node, columns)
    for column, found in columns.items():
        described = node["columns"].get(column, {}).get("description", found.description)
        found.description = " ".join(described.split())
    return Dataset(
        name=name,
        layer=LAYERS[node["schema"]],
        description=" ".join(node["description"].split()),
        columns=columns,
    )


def _snapshot_columns(node: Node, columns: dict[str, Column]) -> dict[str, Column]:
    """The columns that dbt adds: of what it compares."""
    return {
        name: Column(
            expression="written by dbt's snapshot",
            direct=sorted({ref for key in keys for ref in _direct(columns, node["config"][key])}),
        )
        for name, keys in SNAPSHOT.items()
    }


def _direct(columns: dict[str, Column], name: str) -> list[Ref]:
    return columns[name].direct
