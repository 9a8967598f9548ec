"""Bronze gate for orders, on `flagged.orders`. Grain: one row per new version of an order."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, Suite, Thresholds, accepted, quarantined, usual_size
from spark_jobs.silver.orders import MAX_AMOUNT, MAX_QUANTITY, STATUSES


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """The seed's rules for orders; row rules mirror spark_jobs/silver/orders.py, which quarantines."""
    return [
        accepted(thresholds),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["order_id", "updated_at"],
            severity=CRITICAL,
            meta={"consequence": "two versions of an order cannot be put in order: the source has no key"},
        ),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="order_id"),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="customer_id"),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="product_id"),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="amount"),
        quarantined(
            gxe.ExpectColumnValuesToBeBetween,
            column="amount",
            min_value=0,
            strict_min=True,
            max_value=MAX_AMOUNT,
        ),
        quarantined(
            gxe.ExpectColumnValuesToBeBetween, column="quantity", min_value=1, max_value=MAX_QUANTITY
        ),
        quarantined(gxe.ExpectColumnValuesToBeInSet, column="status", value_set=STATUSES),
        *usual_size(thresholds),
    ]


SUITE = Suite(name="orders", key=["order_id"], expectations=expectations)
