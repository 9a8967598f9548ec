"""The lineage as a graph: each column, and the columns that it is made of.

- *direct*: its values are made of these
- *indirect*: these decide which rows count, by a filter, a join or a group

A column named ROWS stands for the rows of a dataset: what `count(*)` is made of.
"""

from functools import cached_property
from typing import Literal, NamedTuple

import networkx as nx
from pydantic import BaseModel

ROWS = "*"
# Where datasets lie, from the shop to what people see.
Layer = Literal[
    "database", "shop", "bronze", "lake",
    "silver", "staging", "snapshots", "intermediate", "gold", "features", "metrics", "report",
]  # fmt: skip


class Ref(NamedTuple):
    """A column by its dataset's name and its own."""

    dataset: str
    column: str

    def __str__(self) -> str:
        return f"{self.dataset}.{self.column}"


class Column(BaseModel):
    """A column and what it is made of."""

    label: str = ""
    """What people see in place of the name, if that is something else."""
    description: str = ""
    expression: str = ""
    """The SQL, or the deed in words, that makes it."""
    direct: list[Ref] = []
    indirect: list[Ref] = []
    made: str = ""
    """Of a column that is made of no other: what makes it."""


class Dataset(BaseModel):
    """A table, or something like one: a metric's model, a section of the report."""

    name: str
    layer: Layer
    description: str = ""
    columns: dict[str, Column] = {}

    @property
    def names(self) -> list[str]:
        """The names of its columns, without ROWS."""
        return [name for name in self.columns if name != ROWS]


class Lineage(BaseModel):
    """All datasets, each after those that it is made of."""

    project: str = ""
    """A hash of what it was read from."""
    datasets: list[Dataset] = []

    def dataset(self, name: str) -> Dataset:
        """The dataset of that name. Raises KeyError."""
        return {dataset.name: dataset for dataset in self.datasets}[name]

    def column(self, ref: Ref) -> Column:
        """A column. Raises KeyError."""
        return self.dataset(ref.dataset).columns[ref.column]

    def find(self, name: str) -> list[Ref]:
        """The columns of that name; it may begin with the dataset's, with or without its layer's."""
        return [ref for ref in self._all if f".{ref}".endswith(f".{name}")]

    def origins(self, ref: Ref, indirect: bool = False) -> list[Ref]:
        """The columns outside the pipeline that a column is made of."""
        return sorted(found for found in nx.ancestors(self._graph(indirect), ref) if self._is_origin(found))

    def uses(self, ref: Ref, indirect: bool = False) -> list[Ref]:
        """All columns that are made of a column."""
        return sorted(nx.descendants(self._graph(indirect), ref))

    def unexplained(self) -> list[Ref]:
        """The columns of which it is not known what they are made of."""
        return [
            ref
            for ref, column in self._all.items()
            if not (column.direct or column.made or self._is_origin(ref))
        ]

    def loose(self) -> list[Ref]:
        """The columns that others are made of and that no dataset has."""
        return sorted(
            {ref for column in self._all.values() for ref in column.direct + column.indirect} - {*self._all}
        )

    @cached_property
    def _all(self) -> dict[Ref, Column]:
        return {
            Ref(dataset.name, name): column
            for dataset in self.datasets
            for name, column in dataset.columns.items()
        }

    def _is_origin(self, ref: Ref) -> bool:
        layer = self._layers.get(ref.dataset)
        return layer == "database" or (layer == "shop" and not self._all[ref].direct)

    @cached_property
    def _layers(self) -> dict[str, Layer]:
        return {dataset.name: dataset.layer for dataset in self.datasets}

    def _graph(self, indirect: bool) -> nx.DiGraph:
        return self._with_indirect if indirect else self._direct

    @cached_property
    def _direct(self) -> nx.DiGraph:
        graph = nx.DiGraph()
        graph.add_nodes_from(self._all)
        graph.add_edges_from((source, ref) for ref, column in self._all.items() for source in column.direct)
        return graph

    @cached_property
    def _with_indirect(self) -> nx.DiGraph:
        graph = self._direct.copy()
        graph.add_edges_from((source, ref) for ref, column in self._all.items() for source in column.indirect)
        return graph
