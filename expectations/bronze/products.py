"""Bronze gate for products, on `flagged.products`. Grain: one row per new version of a product."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, WARNING, Suite, Thresholds, accepted, quarantined, usual_size


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """Keys, and the cost that profit is computed from."""
    return [
        accepted(thresholds),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["product_id", "updated_at"],
            severity=CRITICAL,
            meta={"consequence": "two versions of a product cannot be put in order: the source has no key"},
        ),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="product_id"),
        gxe.ExpectColumnValuesToNotBeNull(
            column="unit_cost",
            mostly=0.99,
            severity=WARNING,
            meta={"consequence": "orders of these products have no profit"},
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="unit_cost",
            min_value=0,
            severity=WARNING,
            meta={"consequence": "profit of these products is overstated"},
        ),
        *usual_size(thresholds),
    ]


SUITE = Suite(name="products", key=["product_id"], expectations=expectations)
