"""The contracts as they might be: changed for the length of a block, in a folder of their own."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import yaml

from lake import catalog


@contextmanager
def contracts_in(folder: Path) -> Iterator[None]:
    """Within this context the catalog is what lies in `folder`."""
    with patch.object(catalog, "CONTRACTS", folder):
        catalog._catalog.cache_clear()
        try:
            yield
        finally:
            catalog._catalog.cache_clear()


@contextmanager
def _changed(table: str, change: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "contracts"
        shutil.copytree(catalog.CONTRACTS, copy)
        file = copy / f"{table}.yaml"
        contract = yaml.safe_load(file.read_text(encoding="utf-8"))
        change(contract["schema"][0])
        file.write_text(yaml.safe_dump(contract), encoding="utf-8")
        with contracts_in(copy):
            yield


@contextmanager
def changed_columns(table: str, *columns: str, **properties: Any) -> Iterator[None]:
    """Within this context the contract says something else of these columns."""

    def change(schema: dict[str, Any]) -> None:
        found = {each["name"]: each for each in schema["properties"]}
        for column in columns:
            found[column].update(properties)

    with _changed(table, change):
        yield


@contextmanager
def changed_table(table: str, **custom: Any) -> Iterator[None]:
    """Within this context the contract has other custom properties: `deletes`, `changes`, `cursor`."""

    def change(schema: dict[str, Any]) -> None:
        kept = [each for each in schema["customProperties"] if each["property"] not in custom]
        schema["customProperties"] = [
            *kept,
            *({"property": name, "value": value} for name, value in custom.items()),
        ]

    with _changed(table, change):
        yield


KEYS = {
    "orders": ("order_id", "customer_id", "product_id"),
    "customers": ("customer_id",),
    "products": ("product_id",),
    "inventory": ("product_id",),
}


@contextmanager
def keys_of_type(type_name: str) -> Iterator[None]:
    """Within this context every key of the shop has PostgreSQL's type of this name."""
    logical = "string" if type_name in ("text", "uuid") else "integer"
    with ExitStack() as contracts:
        for table, columns in KEYS.items():
            contracts.enter_context(
                changed_columns(table, *columns, physicalType=type_name, logicalType=logical)
            )
        yield


def valid_values(*values: str) -> list[dict[str, Any]]:
    """The quality of a column that may hold these values and no others."""
    return [{"metric": "invalidValues", "arguments": {"validValues": list(values)}, "mustBe": 0}]


def lake_only(table: str, *columns: str) -> Any:
    """Within this context the warehouse has no use for these columns."""
    return changed_columns(table, *columns, tags=["lake-only"])
