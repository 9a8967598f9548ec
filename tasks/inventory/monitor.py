"""The monitor of the inventory: after each batch it updates silver and the stock levels, and notifies people.

It runs in two ways: consume the backlog and end, or consume events as they come.
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

from blocks.settings.failures import RETRY_TRANSIENT
from blocks.settings.settings import Settings
from lake.delta import Lake
from lake.row_counts import Extracted, Flagged, RowCounts
from tasks.alerts.delivery import deliver
from tasks.inventory.consumer import InventoryConsumer, consume_to_end, consume_until
from tasks.inventory.reorder_points import Product, ProductId, read_products
from tasks.inventory.silver import TABLE, write_silver
from tasks.inventory.stock_alerts import alerts_about, emit
from tasks.inventory.stock_changes import StockChange, record_changes, unsent
from tasks.inventory.stock_levels import Gap, Stock
from tasks.ledger.run import Run
from tasks.timing import timed

# Products are read, and undelivered alerts sent, again so often: names and sales change once a day.
REFRESH_SECONDS = 60


class InventoryMonitor:
    """The stock during a run. Each `update` records in `run` what it has done so far."""

    def __init__(self, run: Run, settings: Settings, lake: Lake) -> None:
        """Begin with the stock levels that the lake has now."""
        self._run, self._settings, self._lake = run, settings, lake
        self._stock = Stock(lake)
        self._products: dict[ProductId, Product] = {}
        self._refresh_at = time.monotonic()
        self._counts, self._gaps = RowCounts(TABLE), list[Gap]()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stock.close()

    def update(self) -> None:
        """Write what is new in bronze to silver, and notify people and automations of changed stock.

        Raises TransientFailure.
        """
        self._counts += write_silver(self._lake, self._settings.shop_timezone)
        self._gaps += self._stock.refresh()
        record_counts(self._run, self._counts, self._gaps, self._settings.quarantine_threshold)
        is_time = time.monotonic() >= self._refresh_at
        if is_time:
            self._products = read_products(self._lake, self._settings)
            self._refresh_at = time.monotonic() + REFRESH_SECONDS
        on_hand = self._stock.on_hand()
        changes = record_changes(self._lake, on_hand, self._products, self._run.run_id)
        emit(changes)
        self._notify(unsent(self._lake, dt.datetime.now(dt.UTC)) if is_time else changes, on_hand)

    def _notify(self, changes: list[StockChange], on_hand: dict[ProductId, int]) -> None:
        is_all_well = all(
            product.state(on_hand[product_id]) == "ok"
            for product_id, product in self._products.items()
            if product_id in on_hand
        )
        for alert in alerts_about(changes, self._settings, is_all_well):
            deliver(alert, self._settings, self._lake)


@task(task_run_name="consume-backlog", cache_policy=NO_CACHE, **RETRY_TRANSIENT)
@timed
def consume_backlog(
    monitor: InventoryMonitor, settings: Settings, lake: Lake, is_loss_accepted: bool
) -> None:
    """Consume everything that Kafka holds now, and notify people. Raises PipelineFailure."""
    with closing(InventoryConsumer(settings, lake, is_loss_accepted)) as consumer:
        consume_to_end(consumer)
    monitor.update()


@task(task_run_name="consume-as-they-come", cache_policy=NO_CACHE, **RETRY_TRANSIENT)
@timed
def consume_as_they_come(
    monitor: InventoryMonitor, settings: Settings, lake: Lake, minutes: float, is_loss_accepted: bool
) -> None:
    """Consume events as they come, for `minutes` or until SIGTERM, and notify people.

    Raises PipelineFailure.
    """
    with (
        closing(InventoryConsumer(settings, lake, is_loss_accepted)) as consumer,
        stop_after(minutes) as is_stopped,
    ):
        consume_until(consumer, is_stopped, monitor.update)
    monitor.update()


def record_counts(run: Run, counts: RowCounts, gaps: list[Gap], threshold: float) -> None:
    """Record in `run` the counts of its messages, with warnings of gaps and of too many rejected messages.

    `threshold` is the share of messages, 0 to 1, that may be rejected without a warning.
    """
    warnings = [gap_warning(gaps)] if gaps else []
    if counts.quarantined > threshold * counts.rows_in:
        warnings.append(rejection_warning(counts))
    run.extracted = [Extracted(table=TABLE, rows=counts.rows_in, warnings=warnings)]
    run.flagged = [Flagged(TABLE, 0, counts.rows_in, counts.rejected)]
    run.tables = [counts]


@contextmanager
def stop_after(minutes: float) -> Iterator[Callable[[], bool]]:
    """Gives a function that is true after `minutes`; in the main thread, also after SIGTERM."""
    stopped, end = threading.Event(), time.monotonic() + 60 * minutes
    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, lambda *_: stopped.set()) if is_main else None
    try:
        yield lambda: stopped.is_set() or time.monotonic() >= end
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


def rejection_warning(counts: RowCounts) -> str:
    """A sentence about too many rejected messages, the commonest reason first."""
    reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in Counter(counts.rejected).most_common())
    share = f"{counts.quarantined:,} of {counts.rows_in:,} messages were rejected ({reasons})"
    return f"{TABLE}: {share}: they are not counted in any stock level"


def gap_warning(gaps: list[Gap]) -> str:
    """A sentence about events whose level does not follow from the one before, with three of them."""
    samples = "; ".join(
        f"product {gap.product_id} in {gap.warehouse_id} at {gap.event_at:%Y-%m-%d %H:%M:%S}: "
        f"{gap.expected} expected, {gap.on_hand} reported"
        for gap in gaps[:3]
    )
    return f"{TABLE}: {len(gaps):,} gaps in the levels: some stock movements are missing ({samples})"
