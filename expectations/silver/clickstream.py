"""Silver, clicks of one day. Grain: one row per event."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, Suite, Thresholds, one_per_key


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """Each event once, with the visitor and the time that sessions are made from."""
    wrong = {"consequence": "the event belongs to no session"}
    return [
        *one_per_key("event_id", "a click counts twice in the funnel"),
        gxe.ExpectColumnValuesToNotBeNull(column="user_id", severity=CRITICAL, meta=wrong),
        gxe.ExpectColumnValuesToNotBeNull(column="event_at", severity=CRITICAL, meta=wrong),
    ]


SUITE = Suite(name="clickstream", key=["event_id"], expectations=expectations)
