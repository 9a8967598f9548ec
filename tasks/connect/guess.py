"""Guesses: which table of the shop holds a contract's rows, and which of its columns is which.

Names are compared with those that shops use, by difflib; a type that cannot be read as the contract's rules
a column out. A guess is there to be corrected: it ends up in a file that a person reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from lake.source_table import NUMERIC, Column, SourceTable
from tasks.connect.shop_schema import Reference, ShopTable
from tasks.shop.column_types import FLOATS, INTEGERS, TEXTS, ZONED, ZONELESS, Found, Reading, reading

# Other shops' names for what the contracts call so.
NAMES = {
    "orders": "order sale_order sales_order order_order order_line order_item sale_order_line order_lines "
    "order_items order_orderline basket_lines purchases",
    "customers": "customer res_partner account_user users user clients people buyers accounts partners",
    "products": "product product_template product_product items articles goods variants",
    "order_number": "order_no order_ref reference name",
    "customer_id": "partner_id user_id client_id buyer_id account_id order_partner_id customer person",
    "product_id": "item_id article_id variant_id sku product article",
    "order_date": "date_order ordered_at ordered_on placed_at purchased_at created_at create_date "
    "created date",
    "amount": "amount_total total_amount total grand_total total_price price_total line_total price_subtotal "
    "total_gross_amount price",
    "quantity": "qty quantity_ordered product_uom_qty pieces units count",
    "status": "state order_status stage",
    "updated_at": "write_date modified_at modified last_modified changed_at changed updated "
    "updated_on last_update",
    "customer_name": "name full_name display_name email",
    "customer_segment": "segment customer_group tier customer_type group",
    "region": "state_name province country city country_code country_area town state_id",
    "product_name": "name title label",
    "category": "category_name categ_id category_id product_type type shelf",
    "unit_cost": "cost standard_price cost_price purchase_price cost_amount buying_price",
}
LABELS = ("name", "title", "label", "code")
ENOUGH = 0.8


@dataclass(frozen=True)
class Match:
    """Where a contract's column may come from."""

    column: str
    kind: str
    """`plain`, or how it has to be converted: a key of the conversions in scaffold.py."""
    score: float
    via: Reference | None = None
    """The reference to the table that has it, if it is not the guessed table itself."""


@dataclass
class Guess:
    """The table that may hold a contract's rows, and its columns by the contract's."""

    table: ShopTable
    matches: dict[str, Match] = field(default_factory=dict)
    score: float = 0


def guess_table(table: SourceTable, tables: list[ShopTable], keys: set[str]) -> Guess | None:
    """The likeliest table, or None if none is likely. `keys` are the columns that may be of another type."""
    guesses = [_guess(table, each, keys) for each in tables if each.columns]
    likely = [guess for guess in guesses if guess.score > 0]
    return max(likely, key=lambda guess: guess.score, default=None)


def _guess(table: SourceTable, candidate: ShopTable, keys: set[str]) -> Guess:
    guess = Guess(candidate)
    named = _similarity(table.name, candidate.name)
    matches = {}
    for column in table.columns:
        found = max(_matches(table, column, candidate, keys), key=lambda match: match.score, default=None)
        if found and found.score >= ENOUGH:
            matches[column.name] = found
    required = [column.name for column in table.columns if column.is_required]
    coverage = sum(name in matches for name in required) / max(1, len(required))
    # A table by another name must have all that is needed, and be referred to by nothing else.
    if table.key in matches and (named >= ENOUGH or coverage == 1):
        guess.matches = matches
        guess.score = named + 2 * coverage + len(matches) / len(table.columns)
    return guess


def _matches(table: SourceTable, column: Column, candidate: ShopTable, keys: set[str]) -> Iterator[Match]:
    for name, found in candidate.columns.items():
        kind = _kind(column, found, keys)
        if column.name == table.key:
            # A line's `order_id` is not its own id.
            is_key = name == candidate.key or (candidate.key is None and name in (column.name, "id"))
            if is_key and kind:
                yield Match(name, kind, 1)
            continue
        score = _similarity(column.name, name)
        refers = next((each for each in candidate.references if each.column == name), None)
        label = _label(refers) if refers and column.type == "text" and column.name not in keys else None
        if label and refers:
            yield Match(label, "plain", score - 0.01, refers)
        elif kind and name != candidate.key:
            yield Match(name, kind, score)
    for reference in candidate.references if column.name != table.key else ():
        for name, found in reference.table.columns.items():
            kind = _kind(column, found, keys)
            if kind and name not in (*LABELS, reference.table.key):
                yield Match(name, kind, _similarity(column.name, name) - 0.05, reference)


def _label(reference: Reference) -> str | None:
    return next((name for name in LABELS if name in reference.table.columns), None)


def _similarity(wanted: str, name: str) -> float:
    """From 0 to 1; the names of NAMES count a little less, the later the less."""
    lower = name.lower()
    ours = SequenceMatcher(None, wanted, lower).ratio()
    others = (
        SequenceMatcher(None, other, lower).ratio() * (0.98 - 0.01 * position)
        for position, other in enumerate(NAMES.get(wanted, "").split())
    )
    return max(ours, *others, 0.0)


def _kind(column: Column, found: Found, keys: set[str]) -> str | None:
    """How a column of this type becomes the contract's; None if it cannot."""
    name = found.name
    if isinstance(reading(column, found), Reading):
        return "plain"
    if column.name in keys and name in TEXTS and name != "enum":
        return "key"
    if column.type == "date" and name in (ZONED, ZONELESS):
        return "day" if name == ZONED else "local day"
    if column.type == ZONED and name == ZONELESS:
        return "local time"
    if NUMERIC.fullmatch(column.type) and name in (*FLOATS, "money"):
        return "rounded"
    if column.type == "text" and name in (*INTEGERS, "json", "jsonb", "boolean"):
        return "text"
    return None
