"""Silver, products. Grain: one row per product, its newest version."""

import great_expectations.expectations as gxe

from expectations.suite import Suite, Thresholds, one_per_key


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """One row per product; what its attributes hold is judged as it comes in."""
    return one_per_key("product_id", "orders of this product count twice wherever the two are joined")


SUITE = Suite(name="products", key=["product_id"], expectations=expectations)
