"""Tableau data sources (.tds): one for each extract, with captions, folders, formats and the metrics.

A metric is a calculated field in Tableau's own language, and adds up right at any level of detail.
"""

import re
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from sqlglot import parse_one

from tasks.bi.semantic_layer import Aggregate, Column, Mart, Ratio, SemanticModel

# The names that Tableau itself gives to schema and table of an extract.
TABLE = ("Extract", "Extract")
DATATYPES = {
    "whole": "integer",
    "number": "real",
    "text": "string",
    "date": "date",
    "time": "datetime",
    "boolean": "boolean",
}
FORMATS = {
    "money": "n#,##0.00;-#,##0.00",
    "decimal": "n#,##0.00;-#,##0.00",
    "count": "n#,##0;-#,##0",
    "percent": "p0.00%",
}
AGGREGATIONS = {"sum": "SUM", "count_distinct": "COUNTD"}
METRICS = "Metrics"
NAMES = ("text", "boolean")
# By our spelling (docs/names.md); the sum of a rate, a score or an average means nothing.
ADDS_UP = re.compile(r"^total_|_amount$|quantity$|_sessions$|_hand$")


def extract_columns(mart: Mart) -> list[Column]:
    """The columns that may leave the warehouse: what says something about a person stays in it."""
    return [column for column in mart.columns if not column.is_personal]


def extract_path(mart: str) -> str:
    """The place of a mart's extract, from where its data source is, in a folder as in a package."""
    return f"Data/Extracts/{mart}.hyper"


def data_source(mart: Mart, model: SemanticModel | None) -> "ElementTree[Element]":
    """The data source of a mart's extract, with the metrics of its semantic model, if it has one."""
    root = Element(
        "datasource",
        {"formatted-name": mart.name, "inline": "true", "source-platform": "linux", "version": "18.1"},
    )
    _add_connection(root, mart.name)
    SubElement(root, "aliases", enabled="yes")
    folders: dict[str, list[str]] = {}
    for column in extract_columns(mart):
        _add_column(root, column)
        folders.setdefault(_folder(column), []).append(column.name)
    for metric in model.metrics if model else ():
        _add_metric(root, metric)
        folders.setdefault(METRICS, []).append(calculated_name(metric.name))
    _add_folders(root, folders)
    layout = {"dim-ordering": "alphabetic", "measure-ordering": "alphabetic", "show-structure": "true"}
    SubElement(root, "layout", layout)
    indent(root)
    return ElementTree(root)


def calculated_name(metric: str) -> str:
    """A metric's internal name, which may not be that of a column; people see its caption."""
    return f"metric {metric}"


def formula(metric: Aggregate | Ratio) -> str:
    """A metric in Tableau's language, in which a division by 0 is null."""
    if isinstance(metric, Ratio):
        return f"[{calculated_name(metric.numerator)}] / [{calculated_name(metric.denominator)}]"
    expression = parse_one(metric.expression).sql(dialect="tableau", identify=True)
    return f"{AGGREGATIONS[metric.aggregation]}({expression})"


def _add_connection(root: Element, name: str) -> None:
    connection = SubElement(root, "connection", {"class": "federated"})
    named = SubElement(
        SubElement(connection, "named-connections"), "named-connection", caption=name, name=f"hyper.{name}"
    )
    SubElement(
        named,
        "connection",
        {
            "authentication": "auth-none",
            "class": "hyper",
            "dbname": extract_path(name),
            "default-settings": "yes",
            "schema": TABLE[0],
            "tablename": TABLE[1],
            "username": "tableau_internal_user",
        },
    )
    relation = {"connection": f"hyper.{name}", "name": TABLE[1], "type": "table"}
    SubElement(connection, "relation", relation | {"table": ".".join(f"[{part}]" for part in TABLE)})


def _add_column(root: Element, column: Column) -> None:
    field = {"caption": column.label, "datatype": DATATYPES[column.kind], "name": f"[{column.name}]"}
    if _is_measure(column):
        field |= {"role": "measure", "type": "quantitative"}
        field |= {"default-format": FORMATS["count" if column.kind == "whole" else "decimal"]}
        if not ADDS_UP.search(column.name):
            field["aggregation"] = "Avg"
    else:
        field |= {"role": "dimension", "type": "nominal" if column.kind in NAMES else "ordinal"}
    _add_description(SubElement(root, "column", field), column.description)


def _is_measure(column: Column) -> bool:
    return column.kind in ("whole", "number") and not column.name.endswith("_id")


def _folder(column: Column) -> str:
    if _is_measure(column):
        return "Numbers"
    return "Dates" if column.kind in ("date", "time") else "Attributes"


def _add_metric(root: Element, metric: Aggregate | Ratio) -> None:
    element = SubElement(
        root,
        "column",
        {
            "caption": metric.label,
            "datatype": "integer" if metric.format == "count" else "real",
            "default-format": FORMATS[metric.format],
            "name": f"[{calculated_name(metric.name)}]",
            "role": "measure",
            "type": "quantitative",
        },
    )
    SubElement(element, "calculation", {"class": "tableau", "formula": formula(metric)})
    _add_description(element, metric.words)


def _add_description(column: Element, text: str) -> None:
    SubElement(SubElement(SubElement(column, "desc"), "formatted-text"), "run").text = text


def _add_folders(root: Element, folders: dict[str, list[str]]) -> None:
    common = SubElement(root, "folders-common")
    for name, fields in folders.items():
        folder = SubElement(common, "folder", name=name)
        for field in fields:
            SubElement(folder, "folder-item", name=f"[{field}]", type="field")
