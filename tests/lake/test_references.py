"""Columns that hold another table's key: of a type that can be joined with it, or named."""

import pytest

from lake.catalog import catalog
from lake.contract import ContractError
from lake.references import unlike_keys
from tests.support.contracts import changed_columns


def test_the_contracts_keys_can_be_joined() -> None:
    assert list(unlike_keys(catalog())) == []


def test_integers_of_other_widths_can_be_joined() -> None:
    with changed_columns("products", "product_id", physicalType="integer"):
        assert list(unlike_keys(catalog())) == []


@pytest.mark.parametrize(
    ("table", "column", "other"),
    [
        ("orders", "customer_id", "customers.customer_id"),
        ("orders", "product_id", "products.product_id"),
        ("inventory", "product_id", "products.product_id"),
    ],
)
def test_text_cannot_be_joined_with_integers(table: str, column: str, other: str) -> None:
    with changed_columns(table, column, physicalType="text", logicalType="string"):
        with pytest.raises(ContractError, match=f"{table}.{column} is text and {other} is bigint"):
            catalog()


def test_tables_that_a_shop_has_not_are_not_compared() -> None:
    assert list(unlike_keys({"orders": catalog()["orders"]})) == []
