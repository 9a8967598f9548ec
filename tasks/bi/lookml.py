"""LookML of the semantic layer: a view per semantic model, an explore per model with metrics.

One set of views serves both warehouses, since the metrics' SQL means the same on them; a model file per
connection includes it. Tables are named without database or project: the connection says which.
"""

from typing import Any

import lkml
from sqlglot import exp, parse_one

from tasks.bi.semantic_layer import Aggregate, Column, Ratio, SemanticLayer, SemanticModel

Block = dict[str, Any]
CONNECTIONS = ("snowflake", "bigquery")
TYPES = {"whole": "number", "number": "number", "text": "string", "boolean": "yesno"}
DAYS = ["raw", "date", "week", "month", "quarter", "year"]
FORMATS = {"money": "decimal_2", "decimal": "decimal_2", "count": "decimal_0", "percent": "percent_2"}


def lookml_files(layer: SemanticLayer) -> dict[str, str]:
    """The text of each file of the LookML project, by its path."""
    explores = [_explore(model) for model in layer.models if model.metrics]
    files: dict[str, Block] = {
        f"views/{model.name}.view.lkml": {"views": [_view(model)]} for model in layer.models
    }
    files["explores/ecommerce.explore.lkml"] = {"includes": ["/views/*.view"], "explores": explores}
    for warehouse in CONNECTIONS:
        files[f"ecommerce_{warehouse}.model.lkml"] = {
            "connection": f"ecommerce_{warehouse}",
            "label": "E-commerce",
            "includes": ["/explores/*.explore"],
        }
    return {path: lkml.dump(content) or "" for path, content in files.items()}


def _view(model: SemanticModel) -> Block:
    # A metric takes the place of the column that bears its name.
    columns = [each for each in model.mart.columns if each.name not in {each.name for each in model.metrics}]
    times = [column for column in columns if column.kind in ("date", "time")]
    return {
        "name": model.name,
        "label": model.label,
        "sql_table_name": f"gold.{model.mart.name}",
        "dimensions": [_dimension(each, model.key) for each in columns if each not in times],
        "dimension_groups": [_dimension_group(column) for column in times],
        "measures": [_measure(metric) for metric in model.metrics],
        "sets": [{"name": "detail", "fields": _detail(model)}],
    }


def _dimension(column: Column, key: str) -> Block:
    return {
        "name": column.name,
        "label": column.label,
        "description": column.description,
        "type": TYPES[column.kind],
        **({"primary_key": "yes"} if column.name == key else {}),
        "sql": f"${{TABLE}}.{column.name}",
    }


def _dimension_group(column: Column) -> Block:
    return {
        "name": _group(column.name),
        "label": _group(column.name).replace("_", " ").capitalize(),
        "description": column.description,
        "type": "time",
        "timeframes": DAYS if column.kind == "date" else [DAYS[0], "time", *DAYS[1:]],
        "datatype": "date" if column.kind == "date" else "datetime",
        # Days are the shop's already, and times UTC.
        "convert_tz": "no",
        "sql": f"${{TABLE}}.{column.name}",
    }


def _group(column: str) -> str:
    """The name to which Looker appends _date, _week and so on."""
    return column.removesuffix("_date").removesuffix("_at")


def _measure(metric: Aggregate | Ratio) -> Block:
    return {
        "name": metric.name,
        "label": metric.label,
        "description": metric.words,
        **_calculation(metric),
        "value_format_name": FORMATS[metric.format],
        "drill_fields": ["detail*"],
    }


def _calculation(metric: Aggregate | Ratio) -> Block:
    if isinstance(metric, Ratio):
        return {"type": "number", "sql": f"${{{metric.numerator}}} / nullif(${{{metric.denominator}}}, 0)"}
    return {"type": metric.aggregation, "sql": _of_table(metric.expression)}


def _of_table(expression: str) -> str:
    """An SQL expression whose columns are said to be the view's: joined views may have others of the name."""
    return parse_one(expression).transform(_qualified).sql()


def _qualified(node: exp.Expression) -> exp.Expression:
    if not isinstance(node, exp.Column):
        return node
    return exp.Column(this=node.this, table=exp.Identifier(this="${TABLE}", quoted=False))


def _detail(model: SemanticModel) -> list[str]:
    """The fields that a click on a figure shows, a row each."""
    kinds = {column.name: column.kind for column in model.mart.columns}
    names = dict.fromkeys([model.key, *model.dimensions])
    return [f"{_group(name)}_date" if kinds[name] in ("date", "time") else name for name in names]


def _explore(model: SemanticModel) -> Block:
    return {
        "name": model.name,
        "label": model.label,
        "description": model.description,
        "joins": [
            {
                "name": link.model,
                "type": "left_outer",
                "relationship": "one_to_one" if link.column == model.key else "many_to_one",
                "sql_on": f"${{{model.name}.{link.column}}} = ${{{link.model}.{link.key}}}",
            }
            for link in model.links
        ],
    }
