"""Bronze gate for customers, on `flagged.customers`. Grain: one row per new version of a customer."""

import great_expectations.expectations as gxe

from expectations.suite import CRITICAL, WARNING, Suite, Thresholds, accepted, quarantined, usual_size


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """Keys, and the attributes that the boards group by."""
    return [
        accepted(thresholds),
        gxe.ExpectCompoundColumnsToBeUnique(
            column_list=["customer_id", "updated_at"],
            severity=CRITICAL,
            meta={"consequence": "two versions of a customer cannot be put in order: the source has no key"},
        ),
        quarantined(gxe.ExpectColumnValuesToNotBeNull, column="customer_id"),
        *(
            gxe.ExpectColumnValuesToNotBeNull(
                column=column,
                mostly=0.99,
                severity=WARNING,
                meta={"consequence": f"sales of these customers show under no {column}"},
            )
            for column in ("customer_segment", "region")
        ),
        *usual_size(thresholds),
    ]


SUITE = Suite(name="customers", key=["customer_id"], expectations=expectations)
