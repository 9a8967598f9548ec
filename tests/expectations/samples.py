"""For each suite: rows that pass, and for each of its expectations a change that makes it fail.

A case names every expectation that must fail, as a part of its printed form; all others must pass.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa

from expectations.suite import Norms
from hand_made import DAY, at, customer, order, product

Rows = list[dict[str, Any]]
TIME, MONEY = pa.timestamp("us", tz="UTC"), pa.decimal128(12, 2)
# With 20 rows one row is 5 %: exactly the quarantine threshold, and 95 % of the others.
COUNT = 20


@dataclass(frozen=True)
class Case:
    """A change of the passing rows, and the expectations that must fail because of it."""

    change: Callable[[Rows], object]
    fails: list[str]
    norms: Norms = field(default_factory=lambda: Norms(0.05))


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


def fewer(rows: Rows) -> None:
    del rows[3:]


KNOWS_SIZE = Norms(0.05, usual_rows=(10, 30))
SIZE = "table row count to be between (min_value=10, max_value=30)"
ACCEPTED = "reject_reason to be null"
NOT_NULL, BETWEEN, IN_SET, UNIQUE = "to not be null", "to be between", "to be in set", "to be unique"
COMPOUND = "table compound columns to be unique"
COMMON = {
    "too many rejected": Case(rejecting(2), [ACCEPTED]),
    "fewer rows than usual": Case(fewer, [SIZE], KNOWS_SIZE),
    "more rows than usual": Case(lambda rows: rows.extend(rows[2:]), [SIZE], KNOWS_SIZE),
}


def extending_is_new(rows: Rows, key: str) -> None:
    """Twice the rows, with keys of their own."""
    rows.extend({**row, key: 1000 + row[key]} for row in list(rows))


def common(key: str) -> dict[str, Case]:
    return COMMON | {"more rows than usual": Case(lambda rows: extending_is_new(rows, key), [SIZE], KNOWS_SIZE)}


BRONZE = {
    "orders": Sample(
        schema(
            order_id=pa.int64(),
            customer_id=pa.int64(),
            product_id=pa.int64(),
            order_date=pa.date32(),
            amount=MONEY,
            quantity=pa.int32(),
            status=pa.string(),
            updated_at=TIME,
            reject_reason=pa.string(),
        ),
        lambda: [order(number, reject_reason=None) for number in range(1, COUNT + 1)],
        common("order_id")
        | {
            "one version twice": Case(repeated, [COMPOUND]),
            "no order_id": Case(setting("order_id", None), [f"order_id {NOT_NULL}"]),
            "no customer_id": Case(setting("customer_id", None), [f"customer_id {NOT_NULL}"]),
            "no product_id": Case(setting("product_id", None), [f"product_id {NOT_NULL}"]),
            "no amount": Case(setting("amount", None), [f"amount {NOT_NULL}"]),
            "amount of nothing": Case(setting("amount", Decimal("0.00")), [f"amount {BETWEEN}"]),
            "amount beyond a million": Case(setting("amount", Decimal("1000000.01")), [f"amount {BETWEEN}"]),
            "amounts at the bounds": Case(setting("amount", Decimal("0.01"), Decimal("1000000.00")), []),
            "quantity of nothing": Case(setting("quantity", 0), [f"quantity {BETWEEN}"]),
            "quantity beyond a hundred": Case(setting("quantity", 101), [f"quantity {BETWEEN}"]),
            "quantities at the bounds": Case(setting("quantity", 1, 100), []),
            "unknown status": Case(setting("status", "lost"), [f"status {IN_SET}"]),
        },
    ),
    "customers": Sample(
        schema(
            customer_id=pa.int64(),
            customer_name=pa.string(),
            customer_segment=pa.string(),
            region=pa.string(),
            updated_at=TIME,
            reject_reason=pa.string(),
        ),
        lambda: [customer(number, reject_reason=None) for number in range(1, COUNT + 1)],
        common("customer_id")
        | {
            "one version twice": Case(repeated, [COMPOUND]),
            "no customer_id": Case(setting("customer_id", None), [f"customer_id {NOT_NULL}"]),
            "no segment": Case(setting("customer_segment", None), [f"customer_segment {NOT_NULL}"]),
            "no region": Case(setting("region", None), [f"region {NOT_NULL}"]),
        },
    ),
    "products": Sample(
        schema(
            product_id=pa.int64(),
            product_name=pa.string(),
            category=pa.string(),
            unit_cost=MONEY,
            updated_at=TIME,
            reject_reason=pa.string(),
        ),
        lambda: [product(number, reject_reason=None) for number in range(1, COUNT + 1)],
        common("product_id")
        | {
            "one version twice": Case(repeated, [COMPOUND]),
            "no product_id": Case(setting("product_id", None), [f"product_id {NOT_NULL}"]),
            "no unit cost": Case(setting("unit_cost", None), [f"unit_cost {NOT_NULL}"]),
            "negative unit cost": Case(setting("unit_cost", Decimal("-0.01")), [f"unit_cost {BETWEEN}"]),
            "free": Case(setting("unit_cost", Decimal("0.00")), []),
        },
    ),
    "clickstream": Sample(
        schema(
            event_id=pa.string(),
            user_id=pa.string(),
            event_type=pa.string(),
            event_at=TIME,
            origin=pa.string(),
            reject_reason=pa.string(),
        ),
        lambda: [
            {
                "event_id": f"e{number}",
                "user_id": "1",
                "event_type": "purchase",
                "event_at": at(DAY),
                "origin": f"f:{number}",
                "reject_reason": None,
            }
            for number in range(COUNT)
        ],
        COMMON
        | {
            "no event_id": Case(setting("event_id", None), [f"event_id {NOT_NULL}"]),
            "no user_id": Case(setting("user_id", None), [f"user_id {NOT_NULL}"]),
            "no time": Case(setting("event_at", None), [f"event_at {NOT_NULL}"]),
            "unknown type": Case(setting("event_type", "hover"), [f"event_type {IN_SET}"]),
        },
    ),
}


def _facts() -> Rows:
    return [
        {
            "order_id": number,
            "customer_id": 1,
            "order_amount": Decimal("10.00"),
            "quantity": 1,
            "status": "pending",
            "is_unknown_customer": False,
            "is_unknown_product": False,
        }
        for number in range(COUNT)
    ]


def _mostly(column: str) -> str:
    return f"{column} {IN_SET} (mostly"


def _all(column: str) -> str:
    return f"{column} {IN_SET} (value_set"


GOLD = {
    "fct_orders": Sample(
        schema(
            order_id=pa.int64(),
            customer_id=pa.int64(),
            order_amount=MONEY,
            quantity=pa.int32(),
            status=pa.string(),
            is_unknown_customer=pa.bool_(),
            is_unknown_product=pa.bool_(),
        ),
        _facts,
        {
            "no order_id": Case(setting("order_id", None), [f"order_id {NOT_NULL}"]),
            "order twice": Case(setting("order_id", 5), [f"order_id {UNIQUE}"]),
            "no customer_id": Case(setting("customer_id", None), [f"customer_id {NOT_NULL}"]),
            "no amount": Case(setting("order_amount", None), [f"order_amount {NOT_NULL}"]),
            "negative amount": Case(setting("order_amount", Decimal("-1.00")), [f"order_amount {BETWEEN}"]),
            "quantity of nothing": Case(setting("quantity", 0), [f"quantity {BETWEEN}"]),
            "unknown status": Case(setting("status", "lost"), [f"status {IN_SET}"]),
            "a few unknown customers": Case(
                setting("is_unknown_customer", True, True), [_all("is_unknown_customer")]
            ),
            "many unknown customers": Case(
                setting("is_unknown_customer", True, True, True),
                [_mostly("is_unknown_customer"), _all("is_unknown_customer")],
            ),
            "a few unknown products": Case(setting("is_unknown_product", True, True), [_all("is_unknown_product")]),
            "many unknown products": Case(
                setting("is_unknown_product", True, True, True),
                [_mostly("is_unknown_product"), _all("is_unknown_product")],
            ),
        },
    ),
    "dim_customers": Sample(
        schema(customer_id=pa.int64(), lifetime_amount=pa.decimal128(18, 2), is_unknown=pa.bool_()),
        lambda: [
            {"customer_id": number, "lifetime_amount": Decimal("0.00"), "is_unknown": False} for number in range(COUNT)
        ],
        {
            "no customer_id": Case(setting("customer_id", None), [f"customer_id {NOT_NULL}"]),
            "customer twice": Case(setting("customer_id", 5), [f"customer_id {UNIQUE}"]),
            "negative total": Case(setting("lifetime_amount", Decimal("-0.01")), [f"lifetime_amount {BETWEEN}"]),
            "one unknown in twenty": Case(setting("is_unknown", True), []),
            "two unknown in twenty": Case(setting("is_unknown", True, True), [f"is_unknown {IN_SET}"]),
        },
    ),
    "agg_daily_sales": Sample(
        schema(
            order_date=pa.date32(),
            category=pa.string(),
            region=pa.string(),
            customer_segment=pa.string(),
            total_orders=pa.int64(),
            total_revenue=pa.decimal128(18, 2),
            profit_margin_pct=pa.decimal128(9, 2),
        ),
        lambda: [
            {
                "order_date": DAY + dt.timedelta(days=number),
                "category": "toys",
                "region": "north",
                "customer_segment": "gold",
                "total_orders": 1,
                "total_revenue": Decimal("10.00"),
                "profit_margin_pct": Decimal("60.00"),
            }
            for number in range(COUNT)
        ],
        {
            "group twice": Case(repeated, [COMPOUND]),
            "no date": Case(setting("order_date", None), [f"order_date {NOT_NULL}"]),
            "no orders": Case(setting("total_orders", 0), [f"total_orders {BETWEEN}"]),
            "no revenue": Case(setting("total_revenue", Decimal("0.00")), [f"total_revenue {BETWEEN}"]),
            "loss beyond the price": Case(
                setting("profit_margin_pct", Decimal("-100.01")), [f"profit_margin_pct {BETWEEN}"]
            ),
            "margins that can be": Case(setting("profit_margin_pct", Decimal("-100.00"), None), []),
        },
    ),
    "customer_segments": Sample(
        schema(customer_id=pa.int64(), r_score=pa.int32(), f_score=pa.int32(), m_score=pa.int32()),
        lambda: [
            {"customer_id": number, "r_score": 1, "f_score": 3, "m_score": 5} for number in range(COUNT)
        ],
        {
            "no customer_id": Case(setting("customer_id", None), [f"customer_id {NOT_NULL}"]),
            "customer twice": Case(setting("customer_id", 5), [f"customer_id {UNIQUE}"]),
            "recency of six": Case(setting("r_score", 6), [f"r_score {BETWEEN}"]),
            "frequency of nothing": Case(setting("f_score", 0), [f"f_score {BETWEEN}"]),
            "money of six": Case(setting("m_score", 6), [f"m_score {BETWEEN}"]),
        },
    ),
    "order_totals": Sample(
        pa.schema(
            [("order_date", pa.date32())]
            + [
                (f"{name}_amount", pa.decimal128(38, 2))
                for name in ("source", "gold", "fact", "sales", "lake_sales", "lake_segments")
            ]
        ),
        lambda: [
            {"order_date": DAY + dt.timedelta(days=number)}
            | {
                f"{name}_amount": Decimal("10.00")
                for name in ("source", "gold", "fact", "sales", "lake_sales", "lake_segments")
            }
            for number in range(COUNT)
        ],
        {
            "a cent less in gold": Case(setting("gold_amount", Decimal("9.99")), ["column_B=gold_amount"]),
            "a cent more on the board": Case(setting("sales_amount", Decimal("10.01")), ["column_B=sales_amount"]),
            "lake's sales": Case(setting("lake_sales_amount", Decimal("0.00")), ["column_B=lake_sales_amount"]),
            "lake's segments": Case(setting("lake_segments_amount", None), ["column_B=lake_segments_amount"]),
        },
    ),
}
