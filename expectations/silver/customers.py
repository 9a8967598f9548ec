"""Silver, customers. Grain: one row per customer, its newest version."""

import great_expectations.expectations as gxe

from expectations.suite import Suite, Thresholds, one_per_key


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """One row per customer; what its attributes hold is judged as it comes in."""
    return one_per_key("customer_id", "orders of this customer count twice wherever the two are joined")


SUITE = Suite(name="customers", key=["customer_id"], expectations=expectations)
