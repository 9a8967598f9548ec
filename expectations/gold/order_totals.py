"""Gold gate for money: the source, the marts and the lake's gold agree to the cent.

Grain: one row per order_date; tasks/quality/reconciliation.py defines each amount.
"""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, Suite, Thresholds

PAIRS = {
    ("source_amount", "gold_amount"): "gold has lost, doubled or missed orders of these dates",
    ("fact_amount", "sales_amount"): "the sales board and the orders behind it disagree",
    ("fact_amount", "lake_sales_amount"): "the lake's daily_sales and the warehouse disagree",
    ("fact_amount", "lake_segments_amount"): "the lake's daily_segment_sales and the warehouse disagree",
}


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """Equality of sums, without tolerance: money is decimal everywhere."""
    return [
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A=left,
            column_B=right,
            ignore_row_if="neither",
            severity=CRITICAL,
            meta={"consequence": consequence},
        )
        for (left, right), consequence in PAIRS.items()
    ]


SUITE = Suite(name="order_totals", key=["order_date"], expectations=expectations)
