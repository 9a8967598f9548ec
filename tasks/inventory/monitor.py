"""The inventory as a run follows it: after each batch, silver, the stock, and who has to hear of it.

Two ways to run, one code: `take_in` to the end and be done, or `keep_up` as events come.
"""

import datetime as dt
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Self

from prefect import task
from prefect.cache_policies import NO_CACHE

from blocks.failures import RETRY_TRANSIENT
from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Extracted, Flagged
from tasks.alerts.delivery import deliver
from tasks.inventory.consumer import InventoryConsumer, drain, follow
from tasks.inventory.reorder_points import Product, read_products
from tasks.inventory.silver import Settled, settle
from tasks.inventory.stock_alerts import alerts_about, emit
from tasks.inventory.stock_changes import StockChange, record_changes, unsent
from tasks.inventory.stock_levels import Gap, Stock
from tasks.ledger.run import Run

# Names and sales change once a day; a channel that was down is tried again as often.
REFRESH_SECONDS = 60


class InventoryMonitor:
    """What a run has done to the inventory so far, and the stock as it sees it."""

    def __init__(self, run: Run) -> None:
        """Begin with the stock as it was left; what is done is put down in `run` at the end."""
        settings = Settings()
        self._run, self._timezone = run, settings.shop_timezone
        self._threshold = settings.quarantine_threshold
        self._lake = Lake(settings.lake_uri)
        self._stock = Stock(self._lake)
        self._products: dict[int, Product] = {}
        self._refresh_at = time.monotonic()
        self._gaps: list[Gap] = []
        self.settled = Settled()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stock.close()
        done = self.settled
        warnings = [gap_note(self._gaps)] if self._gaps else []
        if sum(done.rejected.values()) > self._threshold * done.rows_in:
            warnings.append(rejects_note(done))
        self._run.extracted = [Extracted(table="inventory", rows=done.rows_in, warnings=warnings)]
        self._run.flagged = [Flagged("inventory", 0, done.rows_in, done.rejected)]
        self._run.tables = [done.published]

    def catch_up(self) -> None:
        """Take what is new in bronze to silver, and tell people and automations what it means.

        Raises TransientFailure.
        """
        self.settled += settle(self._lake, self._timezone)
        self._gaps += self._stock.refresh()
        is_time = time.monotonic() >= self._refresh_at
        if is_time:
            self._products = read_products(self._lake)
            self._refresh_at = time.monotonic() + REFRESH_SECONDS
        on_hand = self._stock.on_hand()
        changes = record_changes(self._lake, on_hand, self._products, self._run.run_id)
        emit(changes)
        self._tell(unsent(dt.datetime.now(dt.UTC)) if is_time else changes, on_hand)

    def _tell(self, changes: list[StockChange], on_hand: dict[int, int]) -> None:
        is_all_well = all(
            product.state(on_hand[product_id]) == "ok"
            for product_id, product in self._products.items()
            if product_id in on_hand
        )
        for alert in alerts_about(changes, is_all_well):
            deliver(alert)


@task(task_run_name="take-in", cache_policy=NO_CACHE, **RETRY_TRANSIENT)
def take_in(watch: InventoryMonitor, is_loss_accepted: bool) -> None:
    """Take in everything that Kafka holds now, and tell what it means. Raises PipelineFailure."""
    with closing(InventoryConsumer(Settings(), is_loss_accepted)) as consumer:
        drain(consumer)
    watch.catch_up()


@task(task_run_name="keep-up", cache_policy=NO_CACHE, **RETRY_TRANSIENT)
def keep_up(watch: InventoryMonitor, minutes: float, is_loss_accepted: bool) -> None:
    """Take in events as they come, for so many minutes or until SIGTERM. Raises PipelineFailure."""
    with (
        closing(InventoryConsumer(Settings(), is_loss_accepted)) as consumer,
        stop_after(minutes) as is_stopped,
    ):
        follow(consumer, is_stopped, watch.catch_up)
    watch.catch_up()


@contextmanager
def stop_after(minutes: float) -> Iterator[Callable[[], bool]]:
    """Gives whether it is time to stop. In the main thread SIGTERM brings that time about at once."""
    stopped, end = threading.Event(), time.monotonic() + 60 * minutes
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set()) if is_main else None
    try:
        yield lambda: stopped.is_set() or time.monotonic() >= end
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


def rejects_note(settled: Settled) -> str:
    """One sentence about messages of which too many were rejected, the commonest reason first."""
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in Counter(settled.rejected).most_common())
    rejected = sum(settled.rejected.values())
    told = f"{rejected:,} of {settled.rows_in:,} messages were rejected ({reasons})"
    return f"inventory: {told}: no level knows them"


def gap_note(gaps: list[Gap]) -> str:
    """One sentence about events whose level does not follow from the one before, with three of them."""
    samples = "; ".join(
        f"product {gap.product_id} in {gap.warehouse_id} at {gap.event_at:%Y-%m-%d %H:%M:%S}: "
        f"{gap.expected} expected, {gap.on_hand} told"
        for gap in gaps[:3]
    )
    return f"inventory: {len(gaps):,} gaps in the levels, so movements were lost or not told ({samples})"
