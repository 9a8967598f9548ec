"""Gold gate for agg_daily_sales. Grain: one row per (order_date, category, region, customer_segment)."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, WARNING, Suite, Thresholds
from expectations.unique import unique_key

KEY = ["order_date", "category", "region", "customer_segment"]


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """One row per group, with plausible counts and money."""
    wrong = {"consequence": "the sales board shows an impossible figure"}
    return [
        unique_key(KEY, wrong["consequence"]),
        gxe.ExpectColumnValuesToNotBeNull(column="order_date", severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToBeBetween(column="total_orders", min_value=1, severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToBeBetween(
            column="total_revenue", min_value=0, strict_min=True, severity=CRITICAL, meta=wrong
        ),
        gxe.ExpectColumnValuesToBeBetween(
            column="profit_margin_pct",
            min_value=-100,
            max_value=100,
            mostly=0.99,
            severity=WARNING,
            meta={"consequence": "a unit cost or a price is probably wrong"},
        ),
    ]


SUITE = Suite(name="agg_daily_sales", key=KEY, expectations=expectations)
