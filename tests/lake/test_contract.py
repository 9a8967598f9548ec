"""Contracts: what they say, and what is refused, with file, place and remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml

from lake.catalog import catalog, shop_tables, spark_tables
from lake.contract import ContractError, read_contract
from lake.source_table import TIMESTAMP
from tests.support.contracts import contracts_in

# A contract that says no more than it must.
SMALLEST = """
apiVersion: v3.1.0
kind: DataContract
id: shop-suppliers
name: suppliers
version: 1.0.0
status: active
schema:
  - name: suppliers
    physicalType: table
    description: Who the shop buys from.
    customProperties:
      - {property: cursor, value: changed_at}
      - {property: deletes, value: keep}
    properties:
      - {name: supplier_id, logicalType: integer, physicalType: bigint, primaryKey: true, description: The id.}
      - {name: rating, logicalType: number, physicalType: "numeric(3,1)", description: From 0 to 10.}
      - {name: changed_at, logicalType: timestamp, physicalType: timestamp with time zone, description: Then.}
"""


def write(folder: Path, text: str, name: str = "suppliers.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The smallest contract after a change."""
    contract = yaml.safe_load(SMALLEST)
    change(contract)
    return write(folder, yaml.safe_dump(contract))


def table_of(contract: dict[str, Any]) -> dict[str, Any]:
    return contract["schema"][0]


def column_of(contract: dict[str, Any], name: str = "rating") -> dict[str, Any]:
    return next(column for column in table_of(contract)["properties"] if column["name"] == name)


def test_the_smallest_contract_has_every_fact(tmp_path: Path) -> None:
    table = read_contract(write(tmp_path, SMALLEST))
    assert (table.name, table.source, table.key, table.cursor) == (
        "suppliers",
        "table",
        "supplier_id",
        "changed_at",
    )
    assert (table.deletes, table.is_event, table.freshness_hours) == ("keep", False, None)
    assert table.grain == "One row per supplier_id."
    assert table.key_consequence == "a row counts twice"
    assert table.schema == pa.schema(
        [("supplier_id", pa.int64()), ("rating", pa.decimal128(3, 1)), ("changed_at", TIMESTAMP)]
    )
    rating = table.column("rating")
    assert not (rating.is_required or rating.is_unique or rating.is_personal)
    assert (rating.warehouse_name, rating.options, rating.valid_values, rating.warnings) == (
        "rating",
        {},
        (),
        (),
    )


def test_what_a_column_may_say_is_read(tmp_path: Path) -> None:
    def change(contract: dict[str, Any]) -> None:
        column_of(contract).update(
            logicalType="number",
            required=True,
            unique=True,
            classification="personal",
            tags=["lake-only"],
            logicalTypeOptions={"minimum": 0, "exclusiveMaximum": 10.5},
            quality=[
                {"metric": "invalidValues", "arguments": {"validValues": [1, 2]}, "mustBe": 0},
                {
                    "metric": "nullValues",
                    "unit": "percent",
                    "mustBeLessOrEqualTo": 2,
                    "severity": "warning",
                    "businessImpact": "nobody knows whom to buy from",
                },
            ],
        )

    rating = read_contract(changed(tmp_path, change)).column("rating")
    assert rating.is_required and rating.is_unique and rating.is_personal
    assert rating.warehouse_name is None
    assert rating.options == {"minimum": 0, "exclusiveMaximum": 10.5}
    assert rating.valid_values == (1, 2)
    (warning,) = rating.warnings
    assert (warning.metric, warning.mostly, warning.consequence) == (
        "nullValues",
        0.98,
        "nobody knows whom to buy from",
    )


# (change, what the refusal says)
REFUSED: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a misspelt key": (
        lambda c: column_of(c).update(requird=True),
        r"schema\[0\].properties\[1\]: .*'requird' was unexpected",
    ),
    "no version of the standard": (lambda c: c.pop("apiVersion"), "'apiVersion' is a required property"),
    "an unknown version of the standard": (
        lambda c: c.update(apiVersion="v9"),
        "apiVersion: 'v9' is not one of",
    ),
    "another name than the file's": (
        lambda c: table_of(c).update(name="vendors"),
        r"schema\[0\].name: is vendors; name it as the file",
    ),
    "two tables": (lambda c: c["schema"].append(dict(table_of(c))), "write a file per table"),
    "no key": (
        lambda c: column_of(c, "supplier_id").pop("primaryKey"),
        "mark the column that identifies a row",
    ),
    "two keys": (lambda c: column_of(c).update(primaryKey=True), "not exactly one primaryKey"),
    "no cursor": (lambda c: table_of(c)["customProperties"].pop(0), "cursor names no column"),
    "a cursor that is no time": (
        lambda c: table_of(c)["customProperties"][0].update(value="rating"),
        "cursor names no column of type timestamp with time zone; name one",
    ),
    "no word about deletes": (lambda c: table_of(c)["customProperties"].pop(1), "write follow or keep"),
    "another word about deletes": (
        lambda c: table_of(c)["customProperties"][1].update(value="forget"),
        "write follow or keep",
    ),
    "neither table nor file nor topic": (
        lambda c: table_of(c).update(physicalType="view"),
        "is view; write table, file or topic",
    ),
    "a type that the lake cannot hold": (
        lambda c: column_of(c).update(physicalType="money"),
        r"properties\[1\] \(rating\): physicalType money is not one of bigint, .*numeric\(precision,scale\)",
    ),
    "more digits than the lake holds": (
        lambda c: column_of(c).update(physicalType="numeric(39,1)"),
        r"physicalType numeric\(39,1\) is not one of",
    ),
    "no logical type": (lambda c: column_of(c).pop("logicalType"), "'logicalType' is a required property"),
    "no meaning": (lambda c: column_of(c).pop("description"), "say what the column means"),
    "a rule that nothing holds rows to": (
        lambda c: column_of(c).update(logicalType="number", logicalTypeOptions={"multipleOf": 5}),
        r"logicalTypeOptions.multipleOf is not enforced; write the rule in the table's job",
    ),
    "a name that the pipeline takes": (lambda c: column_of(c).update(name="load_id"), "load_id is taken"),
    "a name that engines would have to quote": (
        lambda c: column_of(c).update(name="Rating"),
        "choose another",
    ),
    "a warning without a consequence": (
        lambda c: column_of(c).update(
            quality=[{"metric": "nullValues", "mustBeLessOrEqualTo": 1, "severity": "warning"}]
        ),
        "a warning has no businessImpact; say what it makes wrong",
    ),
    "a warning about a number of rows": (
        lambda c: column_of(c).update(
            quality=[
                {
                    "metric": "nullValues",
                    "mustBeLessOrEqualTo": 5,
                    "severity": "warning",
                    "businessImpact": "it is wrong",
                }
            ]
        ),
        "write unit: percent and mustBeLessOrEqualTo",
    ),
    "a warning with another comparison": (
        lambda c: column_of(c).update(
            quality=[
                {
                    "metric": "nullValues",
                    "unit": "percent",
                    "mustBeLessThan": 5,
                    "severity": "warning",
                    "businessImpact": "it is wrong",
                }
            ]
        ),
        "write unit: percent and mustBeLessOrEqualTo",
    ),
    "freshness in days": (
        lambda c: c.update(slaProperties=[{"property": "freshness", "value": 2, "unit": "d"}]),
        r"slaProperties\[0\]: freshness is no whole number with unit: h; write hours",
    ),
    "freshness without a unit, which is days": (
        lambda c: c.update(slaProperties=[{"property": "freshness", "value": 36}]),
        "write hours",
    ),
    "duplicates in a column that is no key": (
        lambda c: column_of(c).update(quality=[{"metric": "duplicateValues", "mustBe": 0}]),
        "write unique: true",
    ),
    "a check that is neither rule nor warning": (
        lambda c: column_of(c).update(quality=[{"metric": "rowCount", "mustBeGreaterThan": 3}]),
        "neither a row rule .* nor a warning",
    ),
}


@pytest.mark.parametrize(("change", "said"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_contract_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    with pytest.raises(ContractError, match=said) as refusal:
        read_contract(changed(tmp_path, change))
    assert str(refusal.value).startswith("suppliers.yaml: ")


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    def change(contract: dict[str, Any]) -> None:
        column_of(contract).update(physicalType="money")
        column_of(contract).pop("description")

    with pytest.raises(ContractError, match=r"physicalType money.*; .*description is missing"):
        read_contract(changed(tmp_path, change))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"schema: [", id="no YAML"),
        pytest.param("name: M\u00fcller".encode("latin-1"), id="no UTF-8"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"just words", id="no contract"),
    ],
)
def test_a_file_that_is_no_contract_is_named(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "suppliers.yaml"
    file.write_bytes(content)
    with pytest.raises(ContractError, match=r"^suppliers\.yaml"):
        read_contract(file)


def test_the_catalog_holds_all_contracts_and_those_of_postgresql_first() -> None:
    assert list(catalog()) == ["customers", "orders", "products", "clickstream", "inventory"]
    assert list(shop_tables()) == ["customers", "orders", "products"]
    assert spark_tables() == ["customers", "orders", "products", "clickstream"]


def test_an_empty_folder_is_no_catalog(tmp_path: Path) -> None:
    with contracts_in(tmp_path), pytest.raises(ContractError, match="holds no contract; restore the files"):
        catalog()


def test_what_is_personal_is_marked() -> None:
    personal = {
        (table.name, each.name) for table in catalog().values() for each in table.columns if each.is_personal
    }
    assert personal == {("customers", "customer_name"), ("clickstream", "user_id")}
