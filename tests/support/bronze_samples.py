"""Samples of the bronze suites."""

from decimal import Decimal

import pyarrow as pa

from tests.support.rows import DAY, at, customer, order, product
from tests.support.samples import (
    BETWEEN,
    COMMON,
    COUNT,
    IN_SET,
    MONEY,
    NOT_NULL,
    ORDER_COLUMNS,
    ORDER_RULES,
    TIME,
    UNIQUE,
    Case,
    Sample,
    common,
    read_again,
    repeated,
    schema,
    setting,
    without,
)

BRONZE = {
    "orders": Sample(
        schema(
            **ORDER_COLUMNS,
            read_at=TIME,
            reject_reason=pa.string(),
        ),
        lambda: [order(number, reject_reason=None, read_at=at(DAY, 18)) for number in range(1, COUNT + 1)],
        common("order_id")
        | ORDER_RULES
        | {
            "one version twice": Case(repeated, [UNIQUE]),
            "one version, read twice": Case(read_again, []),
            "no order_id": Case(setting("order_id", None), [f"order_id {NOT_NULL}"]),
        },
    ),
    "customers": Sample(
        schema(
            customer_id=pa.int64(),
            customer_name=pa.string(),
            customer_segment=pa.string(),
            region=pa.string(),
            updated_at=TIME,
            read_at=TIME,
            reject_reason=pa.string(),
        ),
        lambda: [customer(number, reject_reason=None, read_at=at(DAY, 18)) for number in range(1, COUNT + 1)],
        common("customer_id")
        | {
            "one version twice": Case(repeated, [UNIQUE]),
            "one version, read twice": Case(read_again, []),
            **without("customer_id", "updated_at"),
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
            read_at=TIME,
            reject_reason=pa.string(),
        ),
        lambda: [product(number, reject_reason=None, read_at=at(DAY, 18)) for number in range(1, COUNT + 1)],
        common("product_id")
        | {
            "one version twice": Case(repeated, [UNIQUE]),
            "one version, read twice": Case(read_again, []),
            **without("product_id", "updated_at"),
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
            source_file=pa.string(),
            line_number=pa.int64(),
            reject_reason=pa.string(),
        ),
        lambda: [
            {
                "event_id": f"e{number}",
                "user_id": "1",
                "event_type": "purchase",
                "event_at": at(DAY),
                "source_file": "f",
                "line_number": number,
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
