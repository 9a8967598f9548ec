"""Bronze gate for clicks, on `flagged.clickstream`. Grain: one row per line new to silver."""

import great_expectations.expectations as gxe

from expectations.suite import WARNING, Suite, Thresholds, accepted, quarantined, usual_size

EVENT_TYPES = ["page_view", "product_view", "add_to_cart", "checkout", "purchase"]


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """What an event needs, and the event types that the funnel counts."""
    return [
        accepted(thresholds),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="event_id"),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="user_id"),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="event_at"),
        gxe.ExpectColumnValuesToBeInSet(
            column="event_type",
            value_set=EVENT_TYPES,
            mostly=0.99,
            severity=WARNING,
            meta={"consequence": "the funnel does not count these events"},
        ),
        *usual_size(thresholds),
    ]


SUITE = Suite(name="clickstream", key=["source_file", "line_number"], expectations=expectations)
