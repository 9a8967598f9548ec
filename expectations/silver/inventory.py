"""Silver, stock events of one day. Grain: one row per event."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, Suite, Thresholds, one_per_key


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """Each event once, with the place it tells the level of."""
    wrong = {"consequence": "the level of a product cannot be told"}
    return [
        *one_per_key("event_id", "a movement counts twice"),
        gxe.ExpectColumnValuesToNotBeNull(column="product_id", severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToNotBeNull(column="warehouse_id", severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToNotBeNull(column="event_at", severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToBeBetween(column="on_hand", min_value=0, severity=CRITICAL, meta=wrong),
    ]


SUITE = Suite(name="inventory", key=["event_id"], expectations=expectations)
