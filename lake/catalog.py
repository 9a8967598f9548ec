"""Every source table, by name: the one place that reads the contracts (expectations/contracts/*.yaml).

A contract in the folder that SHOP_QUERIES names replaces the one of its name here: a shop whose keys are
texts says so beside its queries. The contracts in `optional/` are of tables that not every shop has: they
count if OPTIONAL_TABLES names them.
"""

import os
from functools import cache
from pathlib import Path

from lake.contract import ContractError, read_contract
from lake.references import unlike_keys
from lake.source_table import SourceTable

CONTRACTS = Path(__file__).resolve().parents[1] / "expectations" / "contracts"


# Settings hand it on to the process's environment (blocks/settings/settings.py).
SHOP_QUERIES = "SHOP_QUERIES"
OPTIONAL_TABLES = "OPTIONAL_TABLES"


def catalog() -> dict[str, SourceTable]:
    """All source tables, those of PostgreSQL first. Raises ContractError if one contract is wrong."""
    return _catalog(CONTRACTS, os.environ.get(SHOP_QUERIES, ""), os.environ.get(OPTIONAL_TABLES, ""))


@cache
def _catalog(contracts: Path, queries: str, optional: str) -> dict[str, SourceTable]:
    files = {file.name: file for file in contracts.glob("*.yaml")}
    if not files:
        raise ContractError(f"{contracts.parent.name}/{contracts.name} holds no contract; restore the files")
    wanted = [contracts / "optional" / f"{name.strip()}.yaml" for name in optional.split(",") if name.strip()]
    if unknown := [file.stem for file in wanted if not file.exists()]:
        known = ", ".join(sorted(file.stem for file in (contracts / "optional").glob("*.yaml")))
        raise ContractError(f"OPTIONAL_TABLES: {', '.join(unknown)} has no contract; there are: {known}")
    files |= {file.name: file for file in wanted}
    if queries:
        files |= {file.name: file for file in Path(queries).glob("*.yaml")}
    tables = [read_contract(files[name]) for name in sorted(files)]
    if unlike := list(unlike_keys({table.name: table for table in tables})):
        raise ContractError("; ".join(unlike))
    return {table.name: table for table in sorted(tables, key=lambda table: (table.is_event, table.name))}


def spark_tables() -> list[str]:
    """The source tables whose silver Spark writes once a day; a topic's is written as its messages come."""
    return [name for name, table in catalog().items() if table.source != "topic"]


def shop_tables() -> dict[str, SourceTable]:
    """The source tables that lie in the shop's PostgreSQL."""
    return {name: table for name, table in catalog().items() if table.source == "table"}
