"""The shop's own part of the lineage: the queries of SHOP_QUERIES, from its tables to contracts' columns."""

from pathlib import Path

from sqlglot.errors import SqlglotError

from tasks.lineage.graph import ROWS, Column, Dataset, Ref
from tasks.lineage.sql import Select


def with_queries(datasets: list[Dataset], queries: Path) -> list[Dataset]:
    """The datasets, those of the shop made of its own tables where a query says so; these come first."""
    own: dict[str, Dataset] = {}
    for dataset in datasets:
        file = queries / f"{dataset.name.removeprefix('shop.')}.sql"
        if dataset.layer == "shop" and file.is_file():
            _trace(dataset, file, own)
    return [*own.values(), *datasets]


def _trace(dataset: Dataset, file: Path, own: dict[str, Dataset]) -> None:
    """Say of a dataset's columns what the query makes them of; `own` gets the tables that it reads."""
    try:
        found = Select(file.read_text(encoding="utf-8"), {}, "postgres").columns()
    except SqlglotError:
        # PostgreSQL understands more than sqlglot does, and it alone has to.
        found = {}
    dataset.description = f"Query {file.name} on the shop's PostgreSQL. {dataset.description}"
    for name, column in dataset.columns.items():
        traced = found.get(name, Column())
        column.expression, column.made = traced.expression, "" if traced.direct else f"The query {file.name}."
        column.direct = [_own(ref, own) for ref in traced.direct]
        column.indirect = [_own(ref, own) for ref in traced.indirect]


def _own(ref: Ref, own: dict[str, Dataset]) -> Ref:
    name = f"database.{ref.dataset}"
    table = own.setdefault(
        name, Dataset(name=name, layer="database", description="Table of the shop's PostgreSQL.")
    )
    table.columns.setdefault(ref.column, Column(description="Its rows." if ref.column == ROWS else ""))
    return Ref(name, ref.column)
