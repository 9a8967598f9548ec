"""For each suite: rows that pass, and for each of its expectations a change that makes it fail.

A case names every expectation that must fail, as a part of its printed form; all others must pass.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from expectations.suite import Thresholds

Rows = list[dict[str, Any]]
TIME, MONEY = pa.timestamp("us", tz="UTC"), pa.decimal128(12, 2)
# With 20 rows one row is 5 %: exactly the quarantine threshold, and 95 % of the others.
COUNT = 20


@dataclass(frozen=True)
class Case:
    """A change of the passing rows, and the expectations that must fail because of it."""

    change: Callable[[Rows], object]
    fails: list[str]
    thresholds: Thresholds = field(default_factory=lambda: Thresholds(0.05))


@dataclass(frozen=True)
class Sample:
    """The rows that pass a suite, and what breaks it."""

    schema: pa.Schema
    rows: Callable[[], Rows]
    cases: dict[str, Case]


def schema(**types: pa.DataType) -> pa.Schema:
    return pa.schema(list(types.items()))


def setting(column: str, *values: Any) -> Callable[[Rows], object]:
    """Set a column of the first rows, one value each."""

    def change(rows: Rows) -> None:
        for row, value in zip(rows, values, strict=False):
            row[column] = value

    return change


def rejecting(count: int) -> Callable[[Rows], object]:
    return setting("reject_reason", *["amount_in_range"] * count)


def repeated(rows: Rows) -> None:
    rows[1].update(rows[0])


def read_again(rows: Rows) -> None:
    rows[1].update(rows[0], read_at=rows[0]["read_at"] + dt.timedelta(days=1))


def fewer(rows: Rows) -> None:
    del rows[3:]


KNOWS_SIZE = Thresholds(0.05, usual_rows=(10, 30))
SIZE = "table row count to be between (min_value=10, max_value=30)"
ACCEPTED = "reject_reason to be null"
NOT_NULL, BETWEEN, IN_SET, UNIQUE = "to not be null", "to be between", "to be in set", "to be unique"
COMMON = {
    "too many rejected": Case(rejecting(2), [ACCEPTED]),
    "fewer rows than usual": Case(fewer, [SIZE], KNOWS_SIZE),
    "more rows than usual": Case(lambda rows: rows.extend(rows[2:]), [SIZE], KNOWS_SIZE),
}


def keyed(key: str, other: object) -> dict[str, Case]:
    """The first row without its key, and with the key of another row."""
    return {
        f"no {key}": Case(setting(key, None), [f"{key} {NOT_NULL}"]),
        f"{key} twice": Case(setting(key, other), [f"{key} {UNIQUE}"]),
    }


def without(*columns: str) -> dict[str, Case]:
    """The first row without a value, a column at a time."""
    return {f"no {column}": Case(setting(column, None), [f"{column} {NOT_NULL}"]) for column in columns}


ORDER_COLUMNS = {
    "order_id": pa.int64(),
    "customer_id": pa.int64(),
    "product_id": pa.int64(),
    "order_date": pa.date32(),
    "amount": MONEY,
    "quantity": pa.int32(),
    "status": pa.string(),
    "updated_at": TIME,
}
ORDER_RULES = {
    **without("customer_id", "product_id", "order_date", "amount", "quantity", "status", "updated_at"),
    "amount of nothing": Case(setting("amount", Decimal("0.00")), [f"amount {BETWEEN}"]),
    "amount beyond a million": Case(setting("amount", Decimal("1000000.01")), [f"amount {BETWEEN}"]),
    "amounts at the bounds": Case(setting("amount", Decimal("0.01"), Decimal("1000000.00")), []),
    "quantity of nothing": Case(setting("quantity", 0), [f"quantity {BETWEEN}"]),
    "quantity beyond a hundred": Case(setting("quantity", 101), [f"quantity {BETWEEN}"]),
    "quantities at the bounds": Case(setting("quantity", 1, 100), []),
    "unknown status": Case(setting("status", "lost"), [f"status {IN_SET}"]),
}


def extending_is_new(rows: Rows, key: str) -> None:
    """Twice the rows, with keys of their own."""
    rows.extend({**row, key: 1000 + row[key]} for row in list(rows))


def common(key: str) -> dict[str, Case]:
    return COMMON | {
        "more rows than usual": Case(lambda rows: extending_is_new(rows, key), [SIZE], KNOWS_SIZE)
    }
