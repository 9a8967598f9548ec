"""Rows of a hand-made shop, with plain defaults: a test names only what it is about."""

import datetime as dt
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.support.platforms import Platform

DAY = dt.date(2024, 3, 4)
NEXT_DAY = DAY + dt.timedelta(days=1)


def at(day: dt.date, hour: int = 12, minute: int = 0, second: int = 0, microsecond: int = 0) -> dt.datetime:
    """A time of a day in UTC."""
    return dt.datetime(day.year, day.month, day.day, hour, minute, second, microsecond, tzinfo=dt.UTC)


def order(order_id: int | str, **values: Any) -> dict[str, Any]:
    """A valid order of DAY; `updated_at` follows `order_date` unless given."""
    row = {
        "order_id": order_id,
        "customer_id": 1,
        "product_id": 1,
        "order_date": DAY,
        "amount": Decimal("10.00"),
        "quantity": 1,
        "status": "pending",
    } | values
    return {**row, "updated_at": values.get("updated_at", at(row["order_date"] or DAY))}


def customer(customer_id: int | str, **values: Any) -> dict[str, Any]:
    """A valid customer, written the day before DAY."""
    return {
        "customer_id": customer_id,
        "customer_name": f"Customer {customer_id}",
        "customer_segment": "gold",
        "region": "north",
        "updated_at": at(DAY - dt.timedelta(days=1)),
    } | values


def product(product_id: int | str, **values: Any) -> dict[str, Any]:
    """A valid product, written the day before DAY."""
    return {
        "product_id": product_id,
        "product_name": f"Product {product_id}",
        "category": "toys",
        "unit_cost": Decimal("4.00"),
        "updated_at": at(DAY - dt.timedelta(days=1)),
    } | values


def click(event_id: str, **values: Any) -> str:
    """A valid clickstream line of DAY."""
    event = {
        "event_id": event_id,
        "user_id": "1",
        "session_id": "s1",
        "event_type": "page_view",
        "page_url": "/",
        "timestamp": at(DAY).isoformat(),
        "properties": {"product_id": "1"},
    }
    return json.dumps(event | values)


def write_clicks(folder: Path, day: dt.date, lines: Iterable[str], name: str = "part-0.jsonl") -> Path:
    """Write a day's clickstream file; returns its path."""
    path = folder / day.isoformat() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def insert_statement(table: str, row: dict[str, Any], key: str) -> tuple[str, tuple[Any, ...]]:
    """An upsert of one row, as the shop's own application would do it."""
    columns = ", ".join(row)
    places = ", ".join(["%s"] * len(row))
    updates = ", ".join(f"{column} = excluded.{column}" for column in row)
    return (
        f"insert into {table} ({columns}) values ({places}) on conflict ({key}) do update set {updates}",
        tuple(row.values()),
    )


def put(platform: Platform, table: str, *rows: dict[str, Any]) -> None:
    """Insert or update rows of a source table of the platform's shop."""
    for row in rows:
        platform.execute(*insert_statement(table, row, next(iter(row))))
