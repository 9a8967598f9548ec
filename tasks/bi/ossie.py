"""The semantic layer in Apache Ossie (Open Semantic Interchange), for tools that read neither dbt nor LookML.

Version 0.2.0.dev0 of the format, the newest published: it may still change.
"""

from typing import Any

import yaml
from sqlglot import exp, parse_one

from tasks.bi.semantic_layer import Aggregate, Column, Ratio, SemanticLayer, SemanticModel

Node = dict[str, Any]
VERSION = "0.2.0.dev0"
TYPES = {
    "whole": "Integer",
    "number": "Decimal",
    "text": "String",
    "date": "Date",
    "time": "DateTime",
    "boolean": "Boolean",
}
AGGREGATIONS = {"sum": "SUM({})", "count_distinct": "COUNT(DISTINCT {})"}


def ossie_files(layer: SemanticLayer) -> dict[str, str]:
    """The text of the document, by its path: a dataset per semantic model, their links, and all metrics."""
    model = {
        "name": "ecommerce",
        "description": "A shop's orders, sessions and stock.",
        "datasets": [_dataset(each) for each in layer.models],
        "relationships": [relationship for each in layer.models for relationship in _relationships(each)],
        "metrics": [_metric(metric, each) for each in layer.models for metric in each.metrics],
    }
    document = {"version": VERSION, "semantic_model": [model]}
    return {"ecommerce.ossie.yaml": yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)}


def _dataset(model: SemanticModel) -> Node:
    return {
        "name": model.name,
        "source": f"gold.{model.mart.name}",
        "primary_key": [model.key],
        "description": model.description,
        "fields": [_field(column) for column in model.mart.columns],
    }


def _field(column: Column) -> Node:
    return {
        "name": column.name,
        "expression": _in_sql(column.name),
        "label": column.label,
        "description": column.description,
        "datatype": TYPES[column.kind],
    }


def _relationships(model: SemanticModel) -> list[Node]:
    return [
        {
            "name": f"{model.name}_{link.model}",
            "from": model.name,
            "to": link.model,
            "from_columns": [link.column],
            "to_columns": [link.key],
        }
        for link in model.links
        # Two models of one key name each other: once is enough.
        if link.column != model.key or model.name < link.model
    ]


def _metric(metric: Aggregate | Ratio, model: SemanticModel) -> Node:
    return {
        "name": metric.name,
        "expression": _in_sql(_expression(metric, model)),
        "description": metric.words,
        "ai_context": {"synonyms": [metric.label]},
    }


def _expression(metric: Aggregate | Ratio, model: SemanticModel) -> str:
    if isinstance(metric, Ratio):
        parts = {each.name: each for each in model.aggregates}
        over, under = (_expression(parts[name], model) for name in (metric.numerator, metric.denominator))
        return f"{over} / NULLIF({under}, 0)"
    tree = parse_one(metric.expression)
    for column in list(tree.find_all(exp.Column)):
        column.set("table", exp.to_identifier(model.name))
    return AGGREGATIONS[metric.aggregation].format(tree.sql())


def _in_sql(expression: str) -> Node:
    return {"dialects": [{"dialect": "ANSI_SQL", "expression": expression}]}
