"""A page on which people group and filter the metrics offline: one HTML file with rows and code in it.

It holds no column that a contract calls personal, and of a key that is only counted a number of its own. What
it computes with, tasks/templates/vendor, is d3-array and Tabulator.
"""

import datetime as dt
from typing import Any

import pyarrow as pa

from tasks.bi.semantic_layer import Aggregate, Column, Metric, Ratio, SemanticLayer, SemanticModel
from tasks.templates.render import render
from tasks.warehouse.interface import Session
from tasks.words import words

PAGE = "explore.html"
# Of each semantic model: some five megabytes, which a phone still opens. Older days stay out.
MOST_ROWS = 100_000
FIRST_DAY = """
    with days as (
        select cast({day} as date) as day, count(*) as total from gold.{mart} group by 1
    ),

    running as (
        select day, sum(total) over (order by day desc) as so_far from days
    )

    select coalesce(min(case when so_far <= {most} then day end), max(day)) as first_day from running
"""
KEYS = ("_id", "_number")
Node = dict[str, Any]


def explore_files(session: Session, layer: SemanticLayer, most_rows: int = MOST_ROWS) -> dict[str, str]:
    """The page, by its path: of each model with metrics the newest days that have at most so many rows."""
    models = [_model(session, model, most_rows) for model in layer.models if model.metrics]
    return {PAGE: render("explore.html.j2", models=models, written_at=dt.datetime.now(dt.UTC))}


def _model(session: Session, model: SemanticModel, most_rows: int) -> Node:
    dimensions = [column for column in model.mart.columns if _is_dimension(column, model)]
    names = [each.name for each in dimensions]
    days = [each.name for each in dimensions if _is_date(each)]
    day = next(name for name in days if name in model.dimensions)
    mart = model.mart.name
    [first] = _rows(session, FIRST_DAY.format(day=day, mart=mart, most=most_rows))["first_day"].to_pylist()
    chosen = [
        *(f"cast({name} as date) as {name}" if name in days else name for name in names),
        *(f"{_value(each)} as metric_{each.name}" for each in model.aggregates),
    ]
    since = f"where coalesce(cast({day} as date) >= date '{first}', true)" if first else ""
    rows = _rows(session, f"select {', '.join(chosen)} from gold.{mart} {since}")
    return {
        "name": model.name,
        "label": model.label,
        "description": model.description,
        "first_day": first and f"{first:%Y-%m-%d}",
        "rows": rows.num_rows,
        "dimensions": [
            {
                "name": each.name,
                "label": each.label,
                "is_date": _is_date(each),
                **_coded(rows[each.name]),
            }
            for each in dimensions
        ],
        "metrics": [_metric(each, rows) for each in sorted(model.metrics, key=_place)],
    }


def _place(metric: Metric) -> int:
    """Where it is among all metrics, as they are written: the first is the one that people ask for most."""
    names = list(words())
    return names.index(metric.name) if metric.name in names else len(names)


def _rows(session: Session, query: str) -> pa.Table:
    return session.rows(query).read_all()


def _is_dimension(column: Column, model: SemanticModel) -> bool:
    """Whether people group by it: what the model names, and what else is text, a day or a yes and no."""
    if column.is_personal:
        return False
    is_key = column.name == model.key or column.name.endswith(KEYS)
    return column.name in model.dimensions or (column.kind in ("text", "boolean", "date") and not is_key)


def _is_date(column: Column) -> bool:
    return column.kind in ("date", "time")


def _value(metric: Aggregate) -> str:
    """What a row adds to the metric; a number in place of a key that is only told from others."""
    if metric.aggregation == "sum":
        return metric.expression
    rank = f"dense_rank() over (order by {metric.expression})"
    return f"case when ({metric.expression}) is not null then {rank} end"


def _coded(column: pa.ChunkedArray) -> Node:
    """A column of few values: these as text, and of each row the position of its own; null is -1."""
    coded = column.cast(pa.string()).combine_chunks().dictionary_encode()
    return {"values": coded.dictionary.to_pylist(), "codes": coded.indices.fill_null(-1).to_pylist()}


def _metric(metric: Metric, rows: pa.Table) -> Node:
    node = {"name": metric.name, "label": metric.label, "words": metric.words, "format": metric.format}
    match metric:
        case Ratio(numerator=numerator, denominator=denominator):
            return {**node, "numerator": numerator, "denominator": denominator}
        case Aggregate(aggregation=aggregation):
            values = rows[f"metric_{metric.name}"].cast(pa.float64()).to_pylist()
            return {**node, "aggregation": aggregation, "values": values}
    raise TypeError(f"{metric.name} is no metric of ours")
