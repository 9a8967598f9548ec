"""Alerts about products that have become short or no longer are, and events for automations.

Several products at once are one alert, with the WORST of them.
"""

import math
from collections.abc import Iterable

from prefect.events import emit_event

from blocks.settings.environment import PlatformName
from blocks.settings.fields import AlertFields, Severity
from tasks.alerts.alert import GO_ON, Alert, run_link, runbook_link
from tasks.inventory.reorder_points import ProductId, State
from tasks.inventory.stock_changes import BADNESS, StockChange, StockKind

WORST = 10
SHORT: tuple[State, ...] = ("low", "out")
SEVERITY: dict[StockKind, Severity] = {"stock-low": "warning", "stock-out": "error", "stock-refilled": "info"}


def alerts_about(
    changes: Iterable[StockChange], settings: AlertFields, is_all_well: bool = False
) -> list[Alert]:
    """One alert for all products that have become short at once, one for all that no longer are.

    `is_all_well`: no product is short any more, which ends PagerDuty's incident.
    """
    together: dict[str, list[StockChange]] = {}
    for change in changes:
        if change.alert_id:
            together.setdefault(change.alert_id, []).append(change)
    return [_alert(alert_id, about, settings, is_all_well) for alert_id, about in together.items()]


def emit(changes: Iterable[StockChange]) -> None:
    """Report each change to Prefect's server as an event, so that automations can react."""
    platform = PlatformName().platform
    for change in changes:
        if change.kind:
            emit_event(
                f"ecommerce-pipeline.{change.kind.replace('-', '.')}",
                resource={
                    "prefect.resource.id": f"ecommerce-pipeline.product.{platform}.{change.product_id}",
                    "prefect.resource.name": change.label,
                },
                payload=change.model_dump(mode="json"),
            )


def _alert(alert_id: str, changes: list[StockChange], settings: AlertFields, is_all_well: bool) -> Alert:
    by_badness = sorted(changes, key=_worst_first)
    worst, more = by_badness[:WORST], by_badness[WORST:]
    kind = worst[0].kind
    assert kind
    facts = {change.label: _describe(change) for change in worst}
    if more:
        facts[f"and {len(more):,} more"] = "in gold.inventory_status"
    facts[GO_ON] = "python -m flows.status"
    if kind != "stock-refilled":
        facts[GO_ON] += f' --acknowledge {kind} --why "ordered"'
    return Alert(
        alert_id=alert_id,
        kind=kind,
        severity=SEVERITY[kind],
        undoes="error" if kind == "stock-refilled" else None,
        title=_title(by_badness),
        run_id=worst[0].run_id,
        flow="inventory",
        facts=facts,
        run_url=run_link(worst[0].run_id),
        runbook_url=runbook_link(settings, kind),
        dedup_key="stock",
        is_resolution=kind == "stock-refilled" and is_all_well,
        troubles=[] if kind == "stock-refilled" else [_trouble(each, each.state) for each in by_badness],
        ends=[_trouble(each, state) for each in by_badness for state in SHORT if kind == "stock-refilled"],
        may_repeat=True,
    )


def _trouble(change: StockChange, state: State) -> str:
    return f"stock: {change.label} is {state}"


def _worst_first(change: StockChange) -> tuple[float, float, float, ProductId]:
    days = math.inf if change.days_of_cover is None else change.days_of_cover
    return -BADNESS[change.state], days, -change.units_per_day, change.product_id


def _title(changes: list[StockChange]) -> str:
    words = {"out": "out of stock", "low": "low in stock", "ok": "no longer short"}
    if len(changes) == 1:
        return f"{changes[0].label}: {words[changes[0].state]}"
    counts = {state: sum(change.state == state for change in changes) for state in words}
    return "products: " + ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)


def _describe(change: StockChange) -> str:
    left = f"{change.on_hand:,} left" if change.on_hand > 0 else "none left"
    lasts = f", enough for {change.days_of_cover:.1f} days" if change.days_of_cover else ""
    rule = f"sells {change.units_per_day:.1f} a day, order below {change.reorder_point:,}"
    coming = f"; {change.on_order:,} on order" if change.on_order else ""
    order = f"; order {change.quantity_to_order:,} now" if change.quantity_to_order else ""
    return f"{left}{lasts}; {rule}{coming}{order}"
