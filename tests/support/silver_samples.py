"""Samples of the silver suites."""

import pyarrow as pa

from tests.support.rows import DAY, at, order
from tests.support.samples import (
    BETWEEN,
    COUNT,
    ORDER_COLUMNS,
    ORDER_RULES,
    TIME,
    Case,
    Sample,
    keyed,
    schema,
    setting,
    without,
)

SILVER = {
    "orders": Sample(
        schema(
            **ORDER_COLUMNS,
        ),
        lambda: [order(number) for number in range(COUNT)],
        keyed("order_id", 5) | ORDER_RULES,
    ),
    "customers": Sample(
        schema(customer_id=pa.int64(), updated_at=TIME),
        lambda: [{"customer_id": number, "updated_at": at(DAY)} for number in range(COUNT)],
        keyed("customer_id", 5) | without("updated_at"),
    ),
    "products": Sample(
        schema(product_id=pa.int64(), updated_at=TIME),
        lambda: [{"product_id": number, "updated_at": at(DAY)} for number in range(COUNT)],
        keyed("product_id", 5) | without("updated_at"),
    ),
    "clickstream": Sample(
        schema(event_id=pa.string(), user_id=pa.string(), event_at=TIME),
        lambda: [{"event_id": f"e{number}", "user_id": "1", "event_at": at(DAY)} for number in range(COUNT)],
        keyed("event_id", "e5") | without("user_id", "event_at"),
    ),
    "inventory": Sample(
        schema(
            event_id=pa.string(),
            product_id=pa.int64(),
            warehouse_id=pa.string(),
            quantity_change=pa.int64(),
            event_at=TIME,
            on_hand=pa.int64(),
        ),
        lambda: [
            {
                "event_id": f"e{number}",
                "product_id": 1,
                "warehouse_id": "north",
                "quantity_change": -1,
                "event_at": at(DAY),
                "on_hand": number,
            }
            for number in range(COUNT)
        ],
        keyed("event_id", "e5")
        | without("product_id", "warehouse_id", "quantity_change", "event_at", "on_hand")
        | {
            "more than the world has": Case(
                setting("quantity_change", 10**9 + 1), [f"quantity_change {BETWEEN}"]
            ),
            "less than nothing": Case(setting("on_hand", -1), [f"on_hand {BETWEEN}"]),
        },
    ),
}
