"""Gold gate for customer_segments. Grain: one row per customer who has ordered."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, Suite, Thresholds
from expectations.unique import one_per_key


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """One row per customer, with scores from 1 to 5."""
    wrong = {"consequence": "campaigns would address the wrong customers"}
    return [
        *one_per_key("customer_id", wrong["consequence"]),
        *(
            gxe.ExpectColumnValuesToBeBetween(
                column=score, min_value=1, max_value=5, severity=CRITICAL, meta=wrong
            )
            for score in ("r_score", "f_score", "m_score")
        ),
    ]


SUITE = Suite(name="customer_segments", key=["customer_id"], expectations=expectations)
