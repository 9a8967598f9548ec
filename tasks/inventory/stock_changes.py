"""Changes of stock: products that have become short, or no longer are, each found once and recorded.

`ops.stock_alerts` in the lake holds the last seen state of each product. A change is recorded there before
people are notified (stock_alerts.py): after a crash, or when a channel was down, they are notified later, and
of a delivered change they are not notified again. Of several processes that see the same change, one records
it.

People are notified when a product

- falls below its reorder point, and when nothing is left, once each
- is still short after REPEAT_AFTER and still sells
- is no longer short

A change from out to low is only recorded.
"""

import datetime as dt
from typing import Literal

from deltalake.exceptions import CommitFailedError
from pydantic import BaseModel
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

from lake.delta import Lake
from tasks.inventory.reorder_points import Product, ProductId, State
from tasks.ledger.queries import query_records
from tasks.ledger.records import append_records, ensure_table

REPEAT_AFTER = dt.timedelta(hours=24)
# Older changes have been repeated, or are no longer true.
UNSENT_FOR = REPEAT_AFTER
MARK = "stock-alerts"
ATTEMPTS = 5
BADNESS: dict[State, int] = {"ok": 0, "low": 1, "out": 2}
StockKind = Literal["stock-low", "stock-out", "stock-refilled"]


class LastSeen(BaseModel):
    """The recorded state of a product, and when people were last notified of it."""

    state: State = "ok"
    notified_at: dt.datetime | None = None


class StockChange(BaseModel):
    """A record of `ops.stock_alerts`; `kind` and `alert_id` are None if nobody is notified."""

    alert_id: str | None = None
    run_id: str
    kind: StockKind | None
    product_id: ProductId
    product_name: str | None
    state: State
    on_hand: int
    units_per_day: float
    days_of_cover: float | None
    reorder_point: int
    quantity_to_order: int | None = None
    on_order: int | None = None

    @property
    def label(self) -> str:
        """The product's name and number, for people."""
        return f"{self.product_name or 'unnamed'} ({self.product_id})"


def news(state: State, last: LastSeen, now: dt.datetime, sells: bool) -> StockKind | None:
    """The kind of alert about a product that is in `state` now; None if that is nothing new.

    A product that no longer `sells`, for example because it is no longer made, is not repeated.
    """
    if state == "ok":
        return None if last.state == "ok" else "stock-refilled"
    is_worse = BADNESS[state] > BADNESS[last.state]
    is_due_again = sells and last.notified_at is not None and now - last.notified_at >= REPEAT_AFTER
    if is_worse or is_due_again:
        return "stock-out" if state == "out" else "stock-low"
    return None


def record_changes(
    lake: Lake, on_hand: dict[ProductId, int], products: dict[ProductId, Product], run_id: str
) -> list[StockChange]:
    """Record the changes since the last record, and return them; [] if another process did."""
    attempts = Retrying(
        retry=retry_if_exception_type(CommitFailedError),
        stop=stop_after_attempt(ATTEMPTS),
        retry_error_callback=lambda _: [],
    )
    return attempts(_record_changes, lake, on_hand, products, run_id)


def _record_changes(
    lake: Lake, on_hand: dict[ProductId, int], products: dict[ProductId, Product], run_id: str
) -> list[StockChange]:
    table = ensure_table(lake, "stock_alerts")
    changes = _changes(lake, on_hand, products, run_id)
    if not changes:
        return []
    number = (table.transaction_version(MARK) or 0) + 1
    for change in changes:
        if change.kind:
            topic = "refilled" if change.kind == "stock-refilled" else "short"
            change.alert_id = f"stock-{topic}/{number}"
    append_records(lake, "stock_alerts", [c.model_dump() for c in changes], table, {MARK: number})
    return changes


def unsent(lake: Lake, now: dt.datetime) -> list[StockChange]:
    """The changes of the last UNSENT_FOR that no channel has delivered, nor a person has acknowledged.

    Of each product the last: what was held back or could not be sent, and is no longer so, is no news.
    """
    columns = list(StockChange.model_fields)
    recent = query_records(
        lake,
        "stock_alerts",
        f"""
        select {", ".join(columns)} from records
        where alert_id is not null and product_id is not null and recorded_at > ?
        qualify row_number() over (partition by product_id order by recorded_at desc) = 1
        order by all
        """,
        [now - UNSENT_FOR],
    )
    delivered = {
        alert_id
        for (alert_id,) in query_records(
            lake,
            "alert_deliveries",
            "select distinct alert_id from records where is_delivered and starts_with(kind, 'stock-')",
            [],
        )
    }
    settled = "select distinct alert_id from records where outcome = 'acknowledged'"
    delivered |= {alert_id for (alert_id,) in query_records(lake, "alerts", settled)}
    changes = [StockChange(**dict(zip(columns, row, strict=True))) for row in recent]
    return [change for change in changes if change.alert_id not in delivered]


def _changes(
    lake: Lake, on_hand: dict[ProductId, int], products: dict[ProductId, Product], run_id: str
) -> list[StockChange]:
    now, seen, changes = dt.datetime.now(dt.UTC), _last_seen(lake), []
    for product_id, pieces in on_hand.items():
        product, last = products.get(product_id), seen.get(product_id, LastSeen())
        if product is None:
            continue
        state = product.state(pieces)
        kind = news(state, last, now, product.units_per_day > 0)
        if kind or state != last.state:
            changes.append(
                StockChange(
                    run_id=run_id,
                    kind=kind,
                    product_id=product_id,
                    product_name=product.product_name,
                    state=state,
                    on_hand=pieces,
                    units_per_day=product.units_per_day,
                    days_of_cover=product.days_of_cover(pieces),
                    reorder_point=product.reorder_point,
                    quantity_to_order=product.quantity_to_order(pieces),
                    on_order=product.on_order,
                )
            )
    return changes


def _last_seen(lake: Lake) -> dict[ProductId, LastSeen]:
    rows = query_records(
        lake,
        "stock_alerts",
        """
        select product_id, arg_max(state, recorded_at), max(recorded_at) filter (kind is not null)
        from records where product_id is not null group by product_id
        """,
        [],
    )
    return {
        product_id: LastSeen(state=state, notified_at=notified_at) for product_id, state, notified_at in rows
    }
