"""Gold suite for inventory_status. Grain: one row per product that has at least one stock event."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, Suite, Thresholds
from expectations.unique import one_per_key

STATES = ["ok", "low", "out"]


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """One row per product, with a plausible level and a state that alerts know."""
    wrong = {"consequence": "people order too much, or too late"}
    return [
        *one_per_key("product_id", "a product has two levels"),
        gxe.ExpectColumnValuesToBeBetween(column="on_hand", min_value=0, severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToBeBetween(column="reorder_point", min_value=0, severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToBeInSet(column="state", value_set=STATES, severity=CRITICAL, meta=wrong),
    ]


SUITE = Suite(name="inventory_status", key=["product_id"], expectations=expectations, topic="inventory")
