"""The shop's tables: their rows as Python sees them, their DDL, and the few statements the shop needs."""

import datetime as dt
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

STATUSES = ("pending", "processing", "shipped", "delivered", "cancelled")


class Order(NamedTuple):
    """One order; `amount` is what the customer pays for all `quantity` pieces."""

    order_id: int
    customer_id: int | None
    product_id: int | None
    order_date: dt.date
    amount: Decimal
    quantity: int
    status: str
    updated_at: dt.datetime


class Customer(NamedTuple):
    """One customer."""

    customer_id: int
    customer_name: str
    customer_segment: str
    region: str
    updated_at: dt.datetime


class Product(NamedTuple):
    """One product; `unit_cost` is what the shop pays for a piece."""

    product_id: int
    product_name: str
    category: str
    unit_cost: Decimal
    updated_at: dt.datetime


Row = Order | Customer | Product
Table = type[Order] | type[Customer] | type[Product]
TABLES: dict[type[tuple], str] = {Order: "orders", Customer: "customers", Product: "products"}

# No foreign keys: an order may come a day before its customer. The clock lives outside `public`, which holds
# the shop's tables and nothing else. Plain CREATE: a shop that is not ours makes it fail, and stays unharmed.
DDL = """
CREATE TABLE orders (
    order_id BIGINT PRIMARY KEY,
    customer_id BIGINT,
    product_id BIGINT,
    order_date DATE,
    amount NUMERIC(12, 2),
    quantity INTEGER,
    status TEXT,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE customers (
    customer_id BIGINT PRIMARY KEY,
    customer_name TEXT,
    customer_segment TEXT,
    region TEXT,
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE TABLE products (
    product_id BIGINT PRIMARY KEY,
    product_name TEXT,
    category TEXT,
    unit_cost NUMERIC(12, 2),
    updated_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX orders_updated_at ON orders (updated_at);
CREATE INDEX orders_order_date ON orders (order_date);
CREATE INDEX customers_updated_at ON customers (updated_at);
CREATE INDEX products_updated_at ON products (updated_at);

CREATE SCHEMA demo;
CREATE TABLE demo.clock (
    seed BIGINT NOT NULL,
    scale DOUBLE PRECISION NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE
);
"""

# An order the row rules accept as of %(day)s.
VALID = """
    amount > 0 AND quantity BETWEEN 1 AND 100 AND customer_id IS NOT NULL
    AND order_date <= %(day)s AND status = ANY(%(statuses)s)
"""


def upsert(cursor: Cursor, rows: Sequence[Row]) -> None:
    """Write the newest version of each row; all rows are of one table, with one version per key."""
    if not rows:
        return
    columns = rows[0]._fields
    statement = sql.SQL("INSERT INTO {} ({}) VALUES %s ON CONFLICT ({}) DO UPDATE SET {}").format(
        sql.Identifier("public", TABLES[type(rows[0])]),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(columns[0]),
        sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(c)) for c in columns[1:]),
    )
    execute_values(cursor, statement, rows, page_size=1000)


def customers(cursor: Cursor) -> list[Customer]:
    """All customers, in the order of their keys: chance must meet the same list every time."""
    return [Customer(*row) for row in _select(cursor, Customer, "TRUE")]


def products(cursor: Cursor) -> list[Product]:
    """All products, in the order of their keys."""
    return [Product(*row) for row in _select(cursor, Product, "TRUE")]


def open_orders(cursor: Cursor, day: dt.date, settled_before: dt.datetime) -> list[Order]:
    """Valid orders still on their way at the start of `day` and last touched before `settled_before`."""
    where = f"{VALID} AND status IN ('pending', 'processing', 'shipped') AND updated_at < %(before)s"
    values = {"day": day, "statuses": list(STATUSES), "before": settled_before}
    return [Order(*row) for row in _select(cursor, Order, where, values)]


def dirty_orders(cursor: Cursor, day: dt.date, since: dt.datetime, before: dt.datetime) -> list[Order]:
    """Orders touched in [since, before) that the row rules reject as of `day`."""
    where = f"updated_at >= %(since)s AND updated_at < %(before)s AND NOT ({VALID})"
    values = {"day": day, "statuses": list(STATUSES), "since": since, "before": before}
    return [Order(*row) for row in _select(cursor, Order, where, values)]


def awaited(cursor: Cursor, parent: type[Customer] | type[Product]) -> list[int]:
    """Keys that orders name and `parent`'s table does not have yet."""
    key = parent._fields[0]
    cursor.execute(
        sql.SQL(
            "SELECT DISTINCT {key} FROM orders LEFT JOIN {parent} USING ({key}) "
            "WHERE {parent}.updated_at IS NULL AND {key} IS NOT NULL ORDER BY {key}"
        ).format(key=sql.Identifier(key), parent=sql.Identifier(TABLES[parent]))
    )
    return [key for (key,) in cursor.fetchall()]


def last_key(cursor: Cursor, table: Table) -> int:
    """The highest key of `table`; 0 when it is empty."""
    cursor.execute(
        sql.SQL("SELECT coalesce(max({}), 0) FROM {}").format(
            sql.Identifier(table._fields[0]), sql.Identifier(TABLES[table])
        )
    )
    [(key,)] = cursor.fetchall()
    return key


def _select(
    cursor: Cursor, table: Table, where: str, values: dict[str, Any] | None = None
) -> Iterable[tuple]:
    statement = sql.SQL("SELECT {} FROM {} WHERE {} ORDER BY 1").format(
        sql.SQL(", ").join(map(sql.Identifier, table._fields)), sql.Identifier(TABLES[table]), sql.SQL(where)
    )
    cursor.execute(statement, values)
    return cursor.fetchall()
