"""Every source table, by name: the one place that reads the contracts (expectations/contracts/*.yaml)."""

from functools import cache
from pathlib import Path

from lake.contract import ContractError, read_contract
from lake.source_table import SourceTable

CONTRACTS = Path(__file__).resolve().parents[1] / "expectations" / "contracts"


@cache
def catalog() -> dict[str, SourceTable]:
    """All source tables, those of PostgreSQL first. Raises ContractError if one contract is wrong."""
    tables = [read_contract(file) for file in sorted(CONTRACTS.glob("*.yaml"))]
    if not tables:
        raise ContractError(f"{CONTRACTS.parent.name}/{CONTRACTS.name} holds no contract; restore the files")
    return {table.name: table for table in sorted(tables, key=lambda table: (table.is_event, table.name))}


def spark_tables() -> list[str]:
    """The source tables whose silver Spark writes once a day; a topic's is written as its messages come."""
    return [name for name, table in catalog().items() if table.source != "topic"]


def shop_tables() -> dict[str, SourceTable]:
    """The source tables that lie in the shop's PostgreSQL."""
    return {name: table for name, table in catalog().items() if table.source == "table"}
