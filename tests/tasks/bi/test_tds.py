"""Tableau's data source of a hand-made mart, element by element."""

from xml.etree.ElementTree import Element

import pytest

from tasks.bi.tds import data_source
from tests.support.bi_layer import MODEL, SALES

# Of Tableau's published schema (twb_2023.3.0.xsd): what may follow what, as far as it is used here.
IN_SOURCE = ["connection", "aliases", "column", "folders-common", "layout"]
IN_COLUMN = ["calculation", "desc"]


@pytest.fixture(scope="module")
def source() -> Element:
    return data_source(SALES, MODEL).getroot()


@pytest.fixture(scope="module")
def columns(source: Element) -> dict[str, Element]:
    return {column.attrib["name"]: column for column in source.iter("column")}


def test_elements_come_in_the_order_that_tableau_asks_for(source: Element) -> None:
    assert list(dict.fromkeys(child.tag for child in source)) == IN_SOURCE
    for column in source.iter("column"):
        positions = [IN_COLUMN.index(child.tag) for child in column]
        assert positions == sorted(positions)


def test_it_finds_its_extract(source: Element) -> None:
    connection = source.find("connection/named-connections/named-connection/connection")
    relation = source.find("connection/relation")
    assert connection is not None
    assert relation is not None
    assert connection.attrib["dbname"] == "Data/Extracts/sales.hyper"
    assert relation.attrib["table"] == "[Extract].[Extract]"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sale_id", {"datatype": "integer", "role": "dimension", "type": "ordinal", "caption": "Sale id"}),
        ("sale_date", {"datatype": "date", "role": "dimension", "type": "ordinal"}),
        ("region", {"datatype": "string", "role": "dimension", "type": "nominal"}),
        ("is_late", {"datatype": "boolean", "type": "nominal"}),
        ("updated_at", {"datatype": "datetime"}),
        (
            "sale_amount",
            {
                "datatype": "real",
                "role": "measure",
                "aggregation": None,
                "default-format": "n#,##0.00;-#,##0.00",
            },
        ),
        ("total_pieces", {"aggregation": None, "default-format": "n#,##0;-#,##0"}),
        ("margin_pct", {"caption": "Margin %", "aggregation": "Avg"}),
        ("metric total_revenue", {"caption": "Revenue", "default-format": "n#,##0.00;-#,##0.00"}),
        (
            "metric piece_share",
            {"caption": "Share of pieces", "default-format": "p0.00%", "datatype": "real"},
        ),
    ],
)
def test_a_column_looks_as_people_want_it(
    columns: dict[str, Element], name: str, expected: dict[str, str | None]
) -> None:
    assert {key: columns[f"[{name}]"].get(key) for key in expected} == expected


@pytest.mark.parametrize(
    ("metric", "formula"),
    [
        ("total_revenue", "SUM([sale_amount] + 0)"),
        ("total_regions", "COUNTD([region])"),
        ("piece_share", "[metric total_pieces] / [metric total_regions]"),
    ],
)
def test_a_metric_is_a_formula(columns: dict[str, Element], metric: str, formula: str) -> None:
    calculation = columns[f"[metric {metric}]"].find("calculation")
    assert calculation is not None
    assert calculation.attrib == {"class": "tableau", "formula": formula}


def test_what_says_something_about_a_person_stays_in_the_warehouse(columns: dict[str, Element]) -> None:
    assert "[customer_name]" not in columns
    assert len(columns) == len(SALES.columns) - 1 + len(MODEL.metrics)


def test_every_field_has_a_caption_of_its_own_and_lies_in_one_folder(
    source: Element, columns: dict[str, Element]
) -> None:
    captions = [column.attrib["caption"] for column in columns.values()]
    assert len(set(captions)) == len(captions)
    folders = {
        folder.attrib["name"]: [item.attrib["name"] for item in folder] for folder in source.iter("folder")
    }
    assert sorted(field for fields in folders.values() for field in fields) == sorted(columns)
    assert folders["Dates"] == ["[sale_date]", "[updated_at]"]
    assert folders["Metrics"] == [f"[metric {metric.name}]" for metric in MODEL.metrics]


def test_words_are_there_and_escaped(columns: dict[str, Element]) -> None:
    said = {name: "".join(column.itertext()).strip() for name, column in columns.items()}
    assert said["[region]"] == "What region is."
    assert said["[metric total_revenue]"] == "What it is. Of sales; may be added up. Owner: Sales."


def test_a_mart_without_metrics_has_no_folder_of_them() -> None:
    names = {folder.attrib["name"] for folder in data_source(SALES, None).getroot().iter("folder")}
    assert names == {"Attributes", "Dates", "Numbers"}
