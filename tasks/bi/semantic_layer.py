"""The semantic layer as BI tools need it: marts with their columns, metrics with their SQL and words.

The words and the SQL are dbt's (dbt/models/semantic), the columns the warehouse's: tasks/bi/manifest.py.
"""

from typing import Literal

from pydantic import BaseModel

Kind = Literal["whole", "number", "text", "date", "time", "boolean"]
Format = Literal["money", "count", "decimal", "percent"]


class Column(BaseModel):
    """A column of a mart."""

    name: str
    kind: Kind
    description: str
    is_personal: bool = False

    @property
    def label(self) -> str:
        """The name as people read it."""
        return self.name.replace("_pct", " %").replace("_", " ").capitalize()


class Mart(BaseModel):
    """A table of `gold`."""

    name: str
    description: str
    columns: list[Column]

    @property
    def names(self) -> set[str]:
        """The names of its columns."""
        return {column.name for column in self.columns}


class Metric(BaseModel):
    """A figure that people ask for, by one name everywhere."""

    name: str
    label: str
    description: str
    grain: str
    """Of which rows it may be computed, and whether the results may be added up."""
    owner: str
    format: Format

    @property
    def words(self) -> str:
        """All that is to be said of it, in one paragraph."""
        return f"{self.description} Of {self.grain}. Owner: {self.owner}."


class Aggregate(Metric):
    """A metric that sums, or counts the different values of, an expression over the mart's rows."""

    aggregation: Literal["sum", "count_distinct"]
    expression: str


class Ratio(Metric):
    """A metric that divides one aggregate by another of the same mart; null where that is 0."""

    numerator: str
    denominator: str


class Link(BaseModel):
    """A column by which another semantic model's mart can be joined: that one has at most one row for it."""

    column: str
    model: str
    key: str


class SemanticModel(BaseModel):
    """A mart with its metrics, the dimensions that people group by, and what can be joined."""

    name: str
    label: str
    description: str
    mart: Mart
    key: str
    dimensions: list[str]
    links: list[Link] = []
    aggregates: list[Aggregate] = []
    ratios: list[Ratio] = []

    @property
    def metrics(self) -> list[Aggregate | Ratio]:
        """All of them, those that others are made of first."""
        return [*self.aggregates, *self.ratios]


class SemanticLayer(BaseModel):
    """All marts, and the semantic models over some of them."""

    marts: list[Mart]
    models: list[SemanticModel]
