"""The last part of the lineage: metrics over the marts, and what the daily report shows of both.

The report's figures are read from the queries that it runs, by running them on a warehouse without rows.
"""

import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from sqlglot.errors import SqlglotError

from blocks.settings.failures import PermanentFailure
from tasks.bi.manifest import columns_of
from tasks.lineage.graph import ROWS, Column, Dataset, Ref
from tasks.lineage.sql import Select
from tasks.report import queries
from tasks.report.models import FIGURES
from tasks.words import words

Node = dict[str, Any]
ANY_DAY = dt.date(2024, 1, 1)
# The sections of the report with a query of their own, by their headings.
SECTIONS: dict[str, Callable[[queries.Query], object]] = {
    **{
        f"Revenue by {title.lower()}": partial(
            queries.read_sales_by, ds=ANY_DAY, column=column, days_before=7
        )
        for column, title in queries.PARTS.items()
    },
    "From click to order": partial(queries.read_funnel, ds=ANY_DAY),
    "Customers by value": queries.read_segments,
    "Stock at risk": queries.read_stock,
}


def metric_datasets(manifest: Node) -> Iterator[Dataset]:
    """The metrics of each semantic model that has some."""
    metrics = manifest["metrics"].values()
    for model in manifest["semantic_models"].values():
        mart = f"{model['node_relation']['schema_name']}.{model['node_relation']['alias']}"
        measures = {each["name"]: each for each in model["measures"]}
        own = f"metrics.{model['name']}"
        columns = {}
        for metric in metrics:
            given = metric["type_params"]
            if metric["type"] == "simple" and given["measure"]["name"] in measures:
                columns[metric["name"]] = _of_mart(metric, measures[given["measure"]["name"]], mart)
        for metric in metrics:
            given = metric["type_params"]
            if metric["type"] == "ratio" and given["numerator"]["name"] in columns:
                parts = [given["numerator"]["name"], given["denominator"]["name"]]
                expression = f"{parts[0]} / nullif({parts[1]}, 0)"
                columns[metric["name"]] = _metric(metric, expression, [Ref(own, part) for part in parts])
        if columns:
            yield Dataset(
                name=own,
                layer="metrics",
                description=" ".join(model["description"].split()),
                columns=columns,
            )


def report_datasets(marts: list[Dataset], metrics: list[Dataset]) -> Iterator[Dataset]:
    """What the report shows: the day's figures, which are metrics, and the columns of its sections."""
    where = {name: dataset.name for dataset in metrics for name in dataset.columns}
    figures = {
        field: Column(
            label=words()[metric].label,
            description=words()[metric].description,
            direct=[Ref(where[metric], metric)],
        )
        for field, metric in FIGURES.items()
    }
    yield Dataset(
        name="report.day",
        layer="report",
        description="The day's figures, on top and by day.",
        columns=figures,
    )
    for title, read in SECTIONS.items():
        name = f"report.{title.lower().replace(' ', '_')}"
        columns = traced(read, marts)
        yield Dataset(name=name, layer="report", description=f"Section “{title}”.", columns=columns)


def traced(read: Callable[[queries.Query], object], marts: list[Dataset]) -> dict[str, Column]:
    """The columns of the queries that a part of the report runs.

    Raises PermanentFailure if one reads a column that no mart has.
    """
    asked: list[str] = []

    def remember(query: str) -> list[dict[str, Any]]:
        asked.append(query)
        return []

    read(remember)
    tables = {mart.name: mart.names for mart in marts}
    columns: dict[str, Column] = {}
    for query in asked:
        try:
            columns |= Select(query, tables).columns()
        except SqlglotError as error:
            raise PermanentFailure(f"tasks/report/queries.py: {error}; correct it, or the mart") from error
    columns.pop(ROWS)
    return columns


def _of_mart(metric: Node, measure: Node, mart: str) -> Column:
    expression = measure["expr"] or measure["name"]
    return _metric(
        metric,
        f"{measure['agg']}({expression})",
        [Ref(mart, column) for column in sorted(columns_of(expression))],
    )


def _metric(metric: Node, expression: str, direct: list[Ref]) -> Column:
    return Column(
        label=metric["label"], description=metric["description"], expression=expression, direct=direct
    )
