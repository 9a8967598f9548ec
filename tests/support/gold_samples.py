"""Samples of the gold suites."""

import datetime as dt
from decimal import Decimal

import pyarrow as pa

from tests.support.rows import DAY, at
from tests.support.samples import (
    BETWEEN,
    COUNT,
    IN_SET,
    MONEY,
    NOT_NULL,
    TIME,
    UNIQUE,
    Case,
    Rows,
    Sample,
    keyed,
    repeated,
    schema,
    setting,
    without,
)


def _facts() -> Rows:
    return [
        {
            "order_id": number,
            "customer_id": 1,
            "product_id": 1,
            "order_date": DAY,
            "updated_at": at(DAY),
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
            product_id=pa.int64(),
            order_date=pa.date32(),
            updated_at=TIME,
            order_amount=MONEY,
            quantity=pa.int32(),
            status=pa.string(),
            is_unknown_customer=pa.bool_(),
            is_unknown_product=pa.bool_(),
        ),
        _facts,
        keyed("order_id", 5)
        | {
            **without(
                "customer_id", "product_id", "order_date", "order_amount", "quantity", "status", "updated_at"
            ),
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
            "a few unknown products": Case(
                setting("is_unknown_product", True, True), [_all("is_unknown_product")]
            ),
            "many unknown products": Case(
                setting("is_unknown_product", True, True, True),
                [_mostly("is_unknown_product"), _all("is_unknown_product")],
            ),
        },
    ),
    "dim_customers": Sample(
        schema(customer_id=pa.int64(), lifetime_amount=pa.decimal128(18, 2), is_unknown=pa.bool_()),
        lambda: [
            {"customer_id": number, "lifetime_amount": Decimal("0.00"), "is_unknown": False}
            for number in range(COUNT)
        ],
        keyed("customer_id", 5)
        | {
            "negative total": Case(
                setting("lifetime_amount", Decimal("-0.01")), [f"lifetime_amount {BETWEEN}"]
            ),
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
            "group twice": Case(repeated, [UNIQUE]),
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
        keyed("customer_id", 5)
        | {
            "recency of six": Case(setting("r_score", 6), [f"r_score {BETWEEN}"]),
            "frequency of nothing": Case(setting("f_score", 0), [f"f_score {BETWEEN}"]),
            "money of six": Case(setting("m_score", 6), [f"m_score {BETWEEN}"]),
        },
    ),
    "inventory_status": Sample(
        schema(product_id=pa.int64(), on_hand=pa.int64(), reorder_point=pa.int64(), state=pa.string()),
        lambda: [
            {"product_id": number, "on_hand": number, "reorder_point": 3, "state": "ok"}
            for number in range(COUNT)
        ],
        keyed("product_id", 5)
        | {
            "less than nothing": Case(setting("on_hand", -1), [f"on_hand {BETWEEN}"]),
            "wanted less than nothing": Case(setting("reorder_point", -1), [f"reorder_point {BETWEEN}"]),
            "unknown state": Case(setting("state", "lost"), [f"state {IN_SET}"]),
        },
    ),
    "fct_inventory_daily": Sample(
        schema(
            inventory_date=pa.date32(),
            product_id=pa.int64(),
            warehouse_id=pa.string(),
            closing_on_hand=pa.int64(),
            received_quantity=pa.int64(),
            issued_quantity=pa.int64(),
        ),
        lambda: [
            {
                "inventory_date": DAY + dt.timedelta(days=number),
                "product_id": 1,
                "warehouse_id": "north",
                "closing_on_hand": 5,
                "received_quantity": 0,
                "issued_quantity": 2,
            }
            for number in range(COUNT)
        ],
        {"day twice": Case(repeated, [UNIQUE])}
        | {
            f"no {column}": Case(setting(column, None), [f"{column} {NOT_NULL}"])
            for column in ("inventory_date", "product_id", "warehouse_id", "closing_on_hand")
        }
        | {
            f"negative {column}": Case(setting(column, -1), [f"{column} {BETWEEN}"])
            for column in ("closing_on_hand", "received_quantity", "issued_quantity")
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
            "a cent more on the board": Case(
                setting("sales_amount", Decimal("10.01")), ["column_B=sales_amount"]
            ),
            "lake's sales": Case(
                setting("lake_sales_amount", Decimal("0.00")), ["column_B=lake_sales_amount"]
            ),
            "lake's segments": Case(setting("lake_segments_amount", None), ["column_B=lake_segments_amount"]),
        },
    ),
}
