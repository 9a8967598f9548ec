"""LookML of a hand-made semantic layer: it parses, and says what the layer says."""

from typing import Any

import lkml
import pytest

from tasks.bi.lookml import lookml_files
from tests.support.bi_layer import LAYER


@pytest.fixture(scope="module")
def files() -> dict[str, dict[str, Any]]:
    return {path: lkml.load(text) for path, text in lookml_files(LAYER).items()}


@pytest.fixture(scope="module")
def fields(files: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    [view] = files["views/sales.view.lkml"]["views"]
    return {field["name"]: field for kind in view if kind.endswith("s") for field in view[kind]}


def test_a_model_file_per_connection_includes_the_same_explores(files: dict[str, dict[str, Any]]) -> None:
    assert files.keys() == {
        "views/sales.view.lkml",
        "explores/ecommerce.explore.lkml",
        "ecommerce_snowflake.model.lkml",
        "ecommerce_bigquery.model.lkml",
    }
    for warehouse in ("snowflake", "bigquery"):
        model = files[f"ecommerce_{warehouse}.model.lkml"]
        assert (model["connection"], model["includes"]) == (
            f"ecommerce_{warehouse}",
            ["/explores/*.explore"],
        )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sale_id", {"type": "number", "primary_key": "yes", "sql": "${TABLE}.sale_id"}),
        ("region", {"type": "string", "label": "Region", "description": "What region is."}),
        ("is_late", {"type": "yesno"}),
        ("margin_pct", {"type": "number", "label": "Margin %"}),
        (
            "sale",
            {
                "type": "time",
                "datatype": "date",
                "convert_tz": "no",
                "timeframes": ["raw", "date", "week", "month", "quarter", "year"],
                "sql": "${TABLE}.sale_date",
            },
        ),
        (
            "updated",
            {
                "datatype": "datetime",
                "timeframes": ["raw", "time", "date", "week", "month", "quarter", "year"],
            },
        ),
        (
            "total_revenue",
            {
                "type": "sum",
                "label": "Revenue",
                "sql": "${TABLE}.sale_amount + 0",
                "value_format_name": "decimal_2",
                "description": "What it is. Of sales; may be added up. Owner: Sales.",
                "drill_fields": ["detail*"],
            },
        ),
        ("total_regions", {"type": "count_distinct", "value_format_name": "decimal_0"}),
        (
            "piece_share",
            {
                "type": "number",
                "sql": "${total_pieces} / nullif(${total_regions}, 0)",
                "value_format_name": "percent_2",
            },
        ),
        ("detail", {"fields": ["sale_id", "sale_date", "region"]}),
    ],
)
def test_a_field_says_what_the_layer_says(
    fields: dict[str, dict[str, Any]], name: str, expected: dict[str, Any]
) -> None:
    assert {key: fields[name].get(key) for key in expected} == expected


def test_a_metric_takes_the_place_of_the_column_of_its_name(files: dict[str, dict[str, Any]]) -> None:
    [view] = files["views/sales.view.lkml"]["views"]
    assert "total_pieces" in {measure["name"] for measure in view["measures"]}
    assert "total_pieces" not in {dimension["name"] for dimension in view["dimensions"]}


def test_an_explore_joins_what_can_be_joined(files: dict[str, dict[str, Any]]) -> None:
    [explore] = files["explores/ecommerce.explore.lkml"]["explores"]
    assert explore["joins"] == [
        {
            "name": "regions",
            "type": "left_outer",
            "relationship": "many_to_one",
            "sql_on": "${sales.region} = ${regions.region_id}",
        }
    ]
