"""The contract of each PostgreSQL source table: its columns, their types and its key.

Types are spelled as PostgreSQL's `format_type` prints them (`character varying` counts as `text`).
A new column upstream is reported; a dropped or retyped one stops the run before anything is written.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceTable:
    """One source table. Grain: one row per `key`; `updated_at` moves with every change of the row."""

    name: str
    key: str
    columns: dict[str, str]


ORDERS = SourceTable(
    name="orders",
    key="order_id",
    columns={
        "order_id": "bigint",
        "customer_id": "bigint",
        "product_id": "bigint",
        "order_date": "date",
        "amount": "numeric(12,2)",
        "quantity": "integer",
        "status": "text",
        "updated_at": "timestamp with time zone",
    },
)

CUSTOMERS = SourceTable(
    name="customers",
    key="customer_id",
    columns={
        "customer_id": "bigint",
        "customer_name": "text",
        "customer_segment": "text",
        "region": "text",
        "updated_at": "timestamp with time zone",
    },
)

PRODUCTS = SourceTable(
    name="products",
    key="product_id",
    columns={
        "product_id": "bigint",
        "product_name": "text",
        "category": "text",
        "unit_cost": "numeric(12,2)",
        "updated_at": "timestamp with time zone",
    },
)

SOURCE_TABLES = {table.name: table for table in (ORDERS, CUSTOMERS, PRODUCTS)}


def breaches(table: SourceTable, actual: dict[str, str]) -> tuple[list[str], list[str]]:
    """Compare a table's actual columns ({name: type}) with its contract.

    Returns (breaks, additions): sentences about dropped or retyped columns, and about new ones.
    """
    broken = []
    for column, promised in table.columns.items():
        found = actual.get(column)
        if found is None:
            broken.append(f"{table.name}.{column} is gone (the contract promises {promised})")
        elif _canonical(found) != promised:
            broken.append(f"{table.name}.{column} is {found} (the contract promises {promised})")
    added = [
        f"{table.name}.{column} ({found}) is new and is not extracted"
        for column, found in actual.items()
        if column not in table.columns
    ]
    return broken, added


def _canonical(type_name: str) -> str:
    return "text" if type_name.startswith("character varying") else type_name
