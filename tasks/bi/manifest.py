"""The semantic layer, read from dbt's project and held against the columns that the marts really have."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from dbt.cli.main import dbtRunner
from sqlglot import exp, parse_one

from blocks.settings.failures import PermanentFailure
from lake.catalog import catalog
from tasks.bi.semantic_layer import (
    Aggregate,
    Column,
    Kind,
    Link,
    Mart,
    Ratio,
    SemanticLayer,
    SemanticModel,
)
from tasks.transform.dbt import PROJECT
from tasks.warehouse.interface import Session

Node = dict[str, Any]
# What would change a metric's rows or days, and no file of ours would say.
MORE = ("filter", "alias", "offset_window", "offset_to_grain", "fill_nulls_with", "join_to_timespine")


def parse_project(project: Path = PROJECT) -> Node:
    """The manifest that dbt makes of a project. Raises PermanentFailure if dbt cannot read it."""
    return _manifest(project, "parse")


def compile_project(project: Path = PROJECT) -> Node:
    """The same, with the SQL of each model and snapshot as it is when all is built anew."""
    select = "resource_type:model resource_type:snapshot"
    return _manifest(project, "compile", "--full-refresh", "--no-populate-cache", "--select", select)


def _manifest(project: Path, *command: str) -> Node:
    # Of the target that needs no warehouse, and not where builds write: one may be running.
    with TemporaryDirectory() as target:
        folders = {"project-dir": project, "profiles-dir": project, "target-path": target, "log-path": target}
        options = [text for name, path in folders.items() for text in (f"--{name}", str(path))]
        outcome = dbtRunner().invoke([*command, "--quiet", "--target", "lint", *options])
        if not outcome.success:
            raise PermanentFailure(
                f"dbt cannot read its project: {_line(str(outcome.exception))}; correct it"
            )
        return json.loads((Path(target) / "manifest.json").read_text(encoding="utf-8"))


def read_semantic_layer(manifest: Node, session: Session) -> SemanticLayer:
    """The marts of `gold` as they are in this warehouse, and the metrics of a manifest over them.

    Raises PermanentFailure if a mart is not there, or if a metric is of a kind that BI files do not carry, or
    reads a column that its mart has not.
    """
    nodes = [node for node in manifest["nodes"].values() if node["fqn"][1:2] == ["marts"]]
    marts = {node["name"]: _mart(node, session) for node in nodes if node["resource_type"] == "model"}
    found = sorted(manifest["semantic_models"].values(), key=lambda node: node["name"])
    models = [_model(node, marts[node["node_relation"]["alias"]], found) for node in found]
    for node in sorted(
        manifest["metrics"].values(), key=lambda node: (node["type"] == "ratio", node["name"])
    ):
        _add_metric(node, models, found)
    for model in models:
        _check_columns(model)
    return SemanticLayer(marts=list(marts.values()), models=models)


def _mart(node: Node, session: Session) -> Mart:
    if not session.has(f"gold.{node['name']}"):
        raise PermanentFailure(f"the warehouse has no {node['name']}; run daily-ecommerce-pipeline first")
    schema = session.rows(f"select * from gold.{node['name']} where 1 = 0").schema
    personal = {column.name for table in catalog().values() for column in table.columns if column.is_personal}
    return Mart(
        name=node["name"],
        description=_line(node["description"]),
        columns=[
            Column(
                name=field.name,
                kind=_kind(field.type),
                description=_line(node["columns"].get(field.name, {}).get("description", "")),
                is_personal=field.name in personal,
            )
            for field in schema
        ],
    )


def _kind(kind: pa.DataType) -> Kind:
    if pa.types.is_integer(kind) or (pa.types.is_decimal(kind) and not kind.scale):
        return "whole"
    if pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return "number"
    if pa.types.is_timestamp(kind):
        return "time"
    if pa.types.is_date(kind):
        return "date"
    return "boolean" if pa.types.is_boolean(kind) else "text"


def _model(node: Node, mart: Mart, others: list[Node]) -> SemanticModel:
    keys = {each["name"]: _expression(each) for each in node["entities"] if each["type"] == "primary"}
    [key] = keys.values()
    return SemanticModel(
        name=node["name"],
        label=node["label"],
        description=_line(node["description"]),
        mart=mart,
        key=key,
        dimensions=[_expression(each) for each in node["dimensions"]],
        links=[link for entity in node["entities"] for link in _links(entity, node, others)],
    )


def _links(entity: Node, node: Node, others: list[Node]) -> Iterator[Link]:
    """The other models whose one row an entity names."""
    for other in others:
        for theirs in other["entities"]:
            is_same = theirs["name"] == entity["name"] and other["name"] != node["name"]
            if is_same and theirs["type"] == "primary":
                yield Link(column=_expression(entity), model=other["name"], key=_expression(theirs))


def _add_metric(node: Node, models: list[SemanticModel], found: list[Node]) -> None:
    """Put a metric into the model that it is made of; aggregates come before the ratios of them."""
    given = node["type_params"]
    inputs = [given[part] for part in ("measure", "numerator", "denominator") if given[part]]
    if node["type"] not in ("simple", "ratio") or any(
        part.get(more) for part in (node, *inputs) for more in MORE
    ):
        raise _refusal(node, "is more than a sum, a count or a ratio of two")
    words: Node = {name: node[name] for name in ("name", "label", "description")} | node["config"]["meta"]
    if node["type"] == "simple":
        for model, source in zip(models, found, strict=True):
            model.aggregates += [
                Aggregate(**words, **_aggregation(measure, node))
                for measure in source["measures"]
                if measure["name"] == given["measure"]["name"]
            ]
        return
    ratio = Ratio(**words, numerator=given["numerator"]["name"], denominator=given["denominator"]["name"])
    for model in models:
        if {ratio.numerator, ratio.denominator} <= {each.name for each in model.aggregates}:
            model.ratios.append(ratio)
            return
    raise _refusal(node, "divides figures of two marts")


def _aggregation(measure: Node, metric: Node) -> Node:
    if measure["agg"] not in ("sum", "count_distinct") or measure["non_additive_dimension"]:
        raise _refusal(metric, f"is made by {measure['agg']}, not by a plain sum or count_distinct")
    return {"aggregation": measure["agg"], "expression": _expression(measure)}


def _check_columns(model: SemanticModel) -> None:
    """Raise PermanentFailure if something of the model is in no column of its mart."""
    columns = model.mart.names
    wanted = {name: {name} for name in (model.key, *model.dimensions, *(link.column for link in model.links))}
    wanted |= {metric.name: columns_of(metric.expression) for metric in model.aggregates}
    for name, needed in wanted.items():
        if missing := sorted(needed - columns):
            raise PermanentFailure(
                f"{name} reads {', '.join(missing)}, which gold.{model.mart.name} does not have; correct "
                f"dbt/models/semantic/{model.name}.yml, or the mart"
            )


def columns_of(expression: str) -> set[str]:
    """The columns that an SQL expression reads."""
    return {column.name for column in parse_one(expression).find_all(exp.Column)}


def _refusal(node: Node, what: str) -> PermanentFailure:
    return PermanentFailure(
        f"the metric {node['name']} {what}, which files for Looker and Tableau do not carry; correct "
        f"dbt/{node['original_file_path']}"
    )


def _expression(node: Node) -> str:
    return node["expr"] or node["name"]


def _line(text: str) -> str:
    return " ".join(text.split())
