"""Gold suite for fct_inventory_daily. Grain: one row per date, product and warehouse."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, Suite, Thresholds
from expectations.unique import unique_key

KEY = ["inventory_date", "product_id", "warehouse_id"]


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """One closing level per day, and no negative level or quantity."""
    wrong = {"consequence": "the history of a product's stock is wrong"}
    return [
        unique_key(KEY, wrong["consequence"]),
        *(
            gxe.ExpectColumnValuesToNotBeNull(column=column, severity=CRITICAL, meta=wrong)
            for column in (*KEY, "closing_on_hand")
        ),
        *(
            gxe.ExpectColumnValuesToBeBetween(column=column, min_value=0, severity=CRITICAL, meta=wrong)
            for column in ("closing_on_hand", "received_quantity", "issued_quantity")
        ),
    ]


SUITE = Suite(name="fct_inventory_daily", key=KEY, expectations=expectations, topic="inventory")
