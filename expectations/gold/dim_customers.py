"""Gold gate for dim_customers. Grain: one row per customer, inferred ones included."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, WARNING, Suite, Thresholds
from expectations.unique import unique_key


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """One row per customer, with plausible totals."""
    return [
        gxe.ExpectColumnValuesToNotBeNull(
            column="customer_id", severity=CRITICAL, meta={"consequence": "orders belong to no customer"}
        ),
        unique_key(["customer_id"], "a join to it counts sales twice"),
        gxe.ExpectColumnValuesToBeBetween(
            column="lifetime_amount",
            min_value=0,
            severity=CRITICAL,
            meta={"consequence": "segments rank these customers wrongly"},
        ),
        gxe.ExpectColumnValuesToBeInSet(
            column="is_unknown",
            value_set=[False],
            mostly=0.95,
            severity=WARNING,
            meta={"consequence": "many orders name customers that the shop has not sent"},
        ),
    ]


SUITE = Suite(name="dim_customers", key=["customer_id"], expectations=expectations)
