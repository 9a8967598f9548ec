"""Samples of the silver suites."""

import pyarrow as pa

from tests.support.rows import DAY, at, order
from tests.support.samples import (
    BETWEEN,
    COUNT,
    MONEY,
    NOT_NULL,
    ORDER_RULES,
    TIME,
    Case,
    Sample,
    keyed,
    schema,
    setting,
)

SILVER = {
    "orders": Sample(
        schema(
            order_id=pa.int64(),
            customer_id=pa.int64(),
            product_id=pa.int64(),
            amount=MONEY,
            quantity=pa.int32(),
            status=pa.string(),
        ),
        lambda: [order(number) for number in range(COUNT)],
        keyed("order_id", 5) | ORDER_RULES,
    ),
    "customers": Sample(
        schema(customer_id=pa.int64()),
        lambda: [{"customer_id": number} for number in range(COUNT)],
        keyed("customer_id", 5),
    ),
    "products": Sample(
        schema(product_id=pa.int64()),
        lambda: [{"product_id": number} for number in range(COUNT)],
        keyed("product_id", 5),
    ),
    "clickstream": Sample(
        schema(event_id=pa.string(), user_id=pa.string(), event_at=TIME),
        lambda: [{"event_id": f"e{number}", "user_id": "1", "event_at": at(DAY)} for number in range(COUNT)],
        keyed("event_id", "e5")
        | {
            "no user_id": Case(setting("user_id", None), [f"user_id {NOT_NULL}"]),
            "no time": Case(setting("event_at", None), [f"event_at {NOT_NULL}"]),
        },
    ),
    "inventory": Sample(
        schema(
            event_id=pa.string(),
            product_id=pa.int64(),
            warehouse_id=pa.string(),
            event_at=TIME,
            on_hand=pa.int64(),
        ),
        lambda: [
            {
                "event_id": f"e{number}",
                "product_id": 1,
                "warehouse_id": "north",
                "event_at": at(DAY),
                "on_hand": number,
            }
            for number in range(COUNT)
        ],
        keyed("event_id", "e5")
        | {
            "no product_id": Case(setting("product_id", None), [f"product_id {NOT_NULL}"]),
            "no warehouse_id": Case(setting("warehouse_id", None), [f"warehouse_id {NOT_NULL}"]),
            "no time": Case(setting("event_at", None), [f"event_at {NOT_NULL}"]),
            "less than nothing": Case(setting("on_hand", -1), [f"on_hand {BETWEEN}"]),
        },
    ),
}
