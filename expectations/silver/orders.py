"""Silver, orders. Grain: one row per order.

The row rules again, from the side of those who read silver: whatever wrote it, no row may break one.
"""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, Suite, Thresholds, one_per_key
from spark_jobs.silver.orders import MAX_AMOUNT, MAX_QUANTITY, STATUSES


def sound_orders(amount: str, consequence: str) -> list[gxe.Expectation]:
    """Critical: what quarantine should hold is not here. `amount` is the column of that name, or its heir."""
    wrong = {"consequence": consequence}
    return [
        gxe.ExpectColumnValuesToNotBeNull(column="customer_id", severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToNotBeNull(column=amount, severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToBeBetween(
            column=amount, min_value=0, strict_min=True, max_value=MAX_AMOUNT, severity=CRITICAL, meta=wrong
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="quantity", min_value=1, max_value=MAX_QUANTITY, severity=CRITICAL, meta=wrong
        ),
        gxe.ExpectColumnValuesToBeInSet(column="status", value_set=STATUSES, severity=CRITICAL, meta=wrong),
    ]


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """One row per order, and none that quarantine should hold."""
    consequence = "a row that should be in quarantine counts in every figure"
    return [
        *one_per_key("order_id", "an order counts twice"),
        *sound_orders("amount", consequence),
        gxe.ExpectColumnValuesToNotBeNull(
            column="product_id", severity=CRITICAL, meta={"consequence": consequence}
        ),
    ]


SUITE = Suite(name="orders", key=["order_id"], expectations=expectations)
