"""The feature tables' contracts: ODCS, of the columns that the queries yield, with the names that Feast wants."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
import yaml
from jsonschema import Draft201909Validator
from open_data_contract_standard.model import OpenDataContractStandard

from lake.catalog import CONTRACTS
from lake.contract import read_contract
from lake.local_sql import connect
from tasks.features.contract import FeatureTable, feature_tables
from tasks.features.queries import feature_query
from tasks.features.tables import SOURCES, register_versions
from tests.support.platforms import Platform

FILES = sorted((CONTRACTS / "features").glob("*.yaml"))


def test_there_is_a_table_of_customers_and_one_of_products() -> None:
    assert {entity: table.key for entity, table in feature_tables().items()} == {
        "customers": "customer_id", "products": "product_id"
    }  # fmt: skip


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_contract_is_valid_and_says_what_every_column_means(file: Path) -> None:
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert (
        list(Draft201909Validator(json.loads(OpenDataContractStandard.json_schema())).iter_errors(document))
        == []
    )
    [table] = document["schema"]
    assert table["name"] == file.stem
    assert all(column["description"].endswith(".") for column in table["properties"])
    keys = [column["name"] for column in table["properties"] if column.get("primaryKey")]
    assert keys[1] == "event_timestamp"


@pytest.mark.parametrize("table", feature_tables().values(), ids=lambda table: table.name)
def test_a_query_yields_the_columns_of_its_contract(table: FeatureTable, platform: Platform) -> None:
    with connect() as connection:
        for name in SOURCES:
            register_versions(connection, platform.lake, name)
        query = feature_query(table.entity, is_reconstructed=False)
        for parameter, value in {
            "$day": "date '2024-01-01'", "$as_of": "now()", "$known_by": "now()", "$is_reconstructed": "false"
        }.items():  # fmt: skip
            query = query.replace(parameter, value)
        found = connection.sql(query).to_arrow_table().schema
    assert found.names == table.schema.names
    assert {"event_timestamp", "created_timestamp"} <= set(found.names)
    assert table.schema.field("event_timestamp").type == pa.timestamp("us", tz="UTC")


def test_optional_contracts_are_read_like_the_others() -> None:
    [found] = [read_contract(file) for file in (CONTRACTS / "optional").glob("*.yaml")]
    assert (found.name, found.key, found.deletes, found.hides_deleted) == (
        "replenishment", "product_id", "follow", True
    )  # fmt: skip
    assert [column.name for column in found.columns if column.is_required] == ["product_id", "updated_at"]
