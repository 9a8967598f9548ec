"""Gold gate for fct_orders, on the rows that this run's load changed. Grain: one row per order.

Uniqueness over the whole table, relationships and money identities are dbt tests.
"""

import great_expectations.expectations as gxe

from expectations.silver import sound_rows
from expectations.suite import CRITICAL, WARNING, Suite, Thresholds
from expectations.unique import one_per_key
from lake.catalog import catalog

# If fewer orders know their customer or product, a dimension was not loaded, rather than late.
KNOWN_SHARE = 0.9
# In fewer rows one order of a late customer is a large share: a day that is run again may change only a few.
LEAST_ROWS = 100


def expectations(thresholds: Thresholds) -> list[gxe.Expectation]:
    """The contract's row rules, against this pipeline's mistakes; and references that should resolve."""
    wrong = "every aggregate with these rows is wrong"
    return [
        *one_per_key("order_id", wrong),
        # The mart's order_number is never null, whatever the contract asks of the shop's.
        *sound_rows(catalog()["orders"], wrong, {"amount": "order_amount", "order_number": None}),
        *_references(thresholds, "is_unknown_customer", "customer"),
        *_references(thresholds, "is_unknown_product", "product"),
    ]


def _references(thresholds: Thresholds, column: str, dimension: str) -> list[gxe.Expectation]:
    mostly_known = gxe.ExpectColumnValuesToBeInSet(
        column=column,
        value_set=[False],
        mostly=KNOWN_SHARE,
        severity=CRITICAL,
        meta={"consequence": f"sales by {dimension} are mostly 'unknown': was {dimension}s extracted?"},
    )
    is_share_meaningful = thresholds.batch_rows is None or thresholds.batch_rows >= LEAST_ROWS
    return [
        *([mostly_known] if is_share_meaningful else []),
        gxe.ExpectColumnValuesToBeInSet(
            column=column,
            value_set=[False],
            severity=WARNING,
            meta={"consequence": f"these orders count under the {dimension} 'unknown' until it arrives"},
        ),
    ]


SUITE = Suite(name="fct_orders", key=["order_id"], expectations=expectations)
