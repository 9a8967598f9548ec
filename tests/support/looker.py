"""The SQL that Looker makes of LookML, as far as its reference says: a stand-in written by hand."""

import re
from typing import Any

Block = dict[str, Any]
AGGREGATIONS = {"sum": "sum({})", "count_distinct": "count(distinct {})"}


def field_sql(view: Block, field: Block) -> str:
    """The SQL of a dimension, or of a measure with those that it is made of; the view's table has its name."""
    sql = field["sql"].replace("${TABLE}", view["name"])
    measures = {measure["name"]: measure for measure in view.get("measures", [])}
    sql = re.sub(r"\$\{(\w+)\}", lambda found: f"({field_sql(view, measures[found[1]])})", sql)
    return AGGREGATIONS.get(field["type"], "{}").format(sql)


def query(view: Block, *fields: str) -> str:
    """A query of a view's fields, each by its SQL."""
    return f"select {', '.join(fields)} from {view['sql_table_name']} as {view['name']}"


def field_names(view: Block) -> list[str]:
    """The names by which people ask for the view's fields: a dimension group has one per timeframe."""
    groups = [
        f"{group['name']}_{timeframe}"
        for group in view.get("dimension_groups", [])
        for timeframe in group["timeframes"]
    ]
    return [field["name"] for kind in ("dimensions", "measures") for field in view.get(kind, [])] + groups
