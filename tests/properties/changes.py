"""What can happen to a shop: changes of rows and lines of click files, as Hypothesis strategies.

Few keys and few values: every history then holds updates, duplicates and references that do not resolve yet.
"""

from typing import Any, NamedTuple

from hypothesis import strategies as st

MINUTES = 23 * 60  # of every day in every time zone, the short one of spring included
# The first and the last microsecond, both sides of the overlap, and anything between.
MOMENTS = st.sampled_from([0, -1, MINUTES - 30]) | st.integers(1, MINUTES - 1)
KEYS = {"orders": 6, "customers": 3, "products": 3}
STATUSES = ["pending", "processing", "shipped", "delivered", "cancelled"]
# A value that breaks each row rule, beside the extremes that PostgreSQL can hold and others cannot.
DIRT: list[dict[str, Any]] = [
    *({"amount": amount} for amount in (None, "0", "-5.00", "1000000.01", "NaN")),
    *({"quantity": quantity} for quantity in (None, 0, 101)),
    *({"status": status} for status in (None, "returned")),
    *({"order_date": date} for date in (None, 1, "infinity", "12000-01-01", "0044-03-15 BC")),
    {"customer_id": None},
    {"product_id": None},
    {"order_id": None},
]


class Change(NamedTuple):
    """A new version of a row, written at `moment` of some day; an `order_date` counts days from that day."""

    table: str
    key: int
    moment: int
    values: dict[str, Any]


def _orders() -> st.SearchStrategy[Change]:
    valid = st.fixed_dictionaries(
        {
            "customer_id": st.integers(1, KEYS["customers"] + 1),
            "product_id": st.integers(1, KEYS["products"] + 1),
            "order_date": st.integers(-2, 0),
            "amount": st.sampled_from(["0.01", "9.99", "10.00", "333.33", "1000000.00"]),
            "quantity": st.sampled_from([1, 3, 100]),
            "status": st.sampled_from(STATUSES),
            # Rows of one basket share it.
            "order_number": st.sampled_from([None, None, " ", "A", "B"]),
        }
    )
    dirt = st.sampled_from([{}, {}, {}]) | st.sampled_from(DIRT)
    values = st.builds(lambda good, bad: {**good, **bad}, valid, dirt)
    return st.builds(Change, st.just("orders"), st.integers(1, KEYS["orders"]), MOMENTS, values)


def _dimension(table: str, values: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Change]:
    keys = st.integers(1, KEYS[table])
    key_column = table.removesuffix("s") + "_id"
    keyless = st.sampled_from([{}] * 9 + [{key_column: None}])
    made = st.builds(lambda good, bad: {**good, **bad}, st.fixed_dictionaries(values), keyless)
    return st.builds(Change, st.just(table), keys, MOMENTS, made)


CUSTOMERS = _dimension(
    "customers",
    {
        "customer_name": st.sampled_from(["Ada", "Bob"]),
        "customer_segment": st.sampled_from(["gold", "new", None]),
        "region": st.sampled_from(["north", "south", None]),
    },
)
PRODUCTS = _dimension(
    "products",
    {
        "product_name": st.sampled_from(["lamp", "mug"]),
        "category": st.sampled_from(["home", "toys", None]),
        "unit_cost": st.sampled_from(["3.33", "20.00", None]),
    },
)
ORDERS = _orders()
CHANGES = ORDERS | ORDERS | CUSTOMERS | PRODUCTS


# Times that no window sees.
# No earlier than a day into year 1: Python has no date for what that is in New York.
UNSEEN = ["infinity", "-infinity", None, "2099-01-01 00:00:00+00", "0001-01-02 00:00:00+00", "30000-01-01"]


class Mishap(NamedTuple):
    """What happens to a row behind the cursor's back."""

    table: str
    key: int
    kind: str


MISHAPS = st.builds(
    lambda table, key, kind: Mishap(table, 1 + key % KEYS[table], kind),
    st.sampled_from(["orders", "orders", "customers", "products"]),
    st.integers(0, 5),
    st.sampled_from(["delete", "delete", "come back", "other key", "reload", "edit", "all but one"]),
)


class Click(NamedTuple):
    """A line of a click file: an event `minutes` after the folder's day began in UTC, with fields `broken`.

    `broken` None is a good line, a dict replaces fields, a text is the line itself.
    """

    event: int
    user: int
    session: int | None
    kind: str
    minutes: int
    broken: dict[str, Any] | str | None = None


BROKEN: list[dict[str, Any] | str] = [
    *({"event_id": value} for value in (None, "  ")),
    *({"user_id": value} for value in (None, "")),
    *({"timestamp": value} for value in (None, "yesterday", "")),
    *("no json", "", "[1]", "{}", '{"event_id": "e1", "user_id": "u'),
]
CLICKS = st.builds(
    Click,
    st.integers(1, 6),
    st.integers(1, 3),
    st.sampled_from([1, 2, None]),
    st.sampled_from(["page_view", "product_view", "add_to_cart", "checkout", "purchase"]),
    st.integers(-300, 1700),
    st.sampled_from([None] * 3) | st.sampled_from(BROKEN),
)
FILES = st.sampled_from(["a.jsonl", "b.json.gz"])
