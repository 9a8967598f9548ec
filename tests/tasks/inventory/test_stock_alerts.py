"""Alerts about short products, and the events that automations get."""

import time
from typing import Any

import pytest
from prefect.client.orchestration import get_client

from blocks.settings.settings import Settings
from tasks.inventory.reorder_points import State
from tasks.inventory.stock_alerts import alerts_about, emit
from tasks.inventory.stock_changes import StockChange, StockKind

KINDS: dict[State, StockKind] = {"ok": "stock-refilled", "low": "stock-low", "out": "stock-out"}


def change(product_id: int, state: State, on_hand: int, **values: Any) -> StockChange:
    """A product that sells two a day and is to be ordered below 20."""
    given = {
        "alert_id": "stock-short/1",
        "run_id": "run-1",
        "kind": KINDS[state],
        "product_id": product_id,
        "product_name": f"Product {product_id}",
        "state": state,
        "on_hand": on_hand,
        "units_per_day": 2.0,
        "days_of_cover": on_hand / 2,
        "reorder_point": 20,
    }
    return StockChange(**given | values)


@pytest.mark.usefixtures("platform")
def test_one_product_is_named_in_the_title() -> None:
    [alert] = alerts_about([change(1, "low", 9)], Settings())
    assert (alert.kind, alert.severity, alert.undoes) == ("stock-low", "warning", None)
    assert alert.title == "Product 1 (1): low in stock"
    assert alert.facts == {
        "Product 1 (1)": "9 left, enough for 4.5 days; sells 2.0 a day, order below 20",
        "to go on": 'python -m flows.status --acknowledge stock-low --why "ordered"',
    }
    assert (alert.troubles, alert.may_repeat) == (["stock: Product 1 (1) is low"], True)
    assert (alert.alert_id, alert.run_id, alert.dedup_key) == ("stock-short/1", "run-1", "stock")
    assert alert.runbook_url.endswith("docs/runbook.md#stock-low")


@pytest.mark.usefixtures("platform")
def test_what_to_order_and_what_is_coming_are_said() -> None:
    [alert] = alerts_about([change(1, "low", 9, quantity_to_order=24, on_order=6)], Settings())
    assert alert.facts["Product 1 (1)"].endswith("order below 20; 6 on order; order 24 now")
    [enough] = alerts_about([change(1, "low", 9, quantity_to_order=0, on_order=60)], Settings())
    assert enough.facts["Product 1 (1)"].endswith("order below 20; 60 on order")


@pytest.mark.usefixtures("platform")
def test_many_at_once_are_one_message_with_the_ten_worst_first() -> None:
    low = [change(number, "low", number) for number in range(3, 15)]
    out = [change(1, "out", 0), change(2, "out", 0, units_per_day=5.0, product_name=None)]
    [alert] = alerts_about([*low, *out], Settings())
    assert (alert.kind, alert.severity) == ("stock-out", "error")
    assert alert.title == "products: 2 out of stock, 12 low in stock"
    assert list(alert.facts) == [
        "unnamed (2)",
        "Product 1 (1)",
        *(f"Product {number} ({number})" for number in range(3, 11)),
        "and 4 more",
        "to go on",
    ]
    assert alert.facts["unnamed (2)"] == "none left; sells 5.0 a day, order below 20"


@pytest.mark.usefixtures("platform")
def test_what_does_not_sell_is_the_least_of_the_worries() -> None:
    still = change(1, "low", 1, units_per_day=0.0, days_of_cover=None)
    [alert] = alerts_about([still, change(2, "low", 19)], Settings())
    assert list(alert.facts) == ["Product 2 (2)", "Product 1 (1)", "to go on"]


@pytest.mark.usefixtures("platform")
@pytest.mark.parametrize("is_all_well", [True, False])
def test_good_news_goes_where_the_bad_news_went_and_ends_the_trouble_if_it_was_all(is_all_well: bool) -> None:
    bad = change(1, "out", 0)
    good = [change(number, "ok", 90, alert_id="stock-refilled/2") for number in (2, 3)]
    first, second = alerts_about([bad, *good], Settings(), is_all_well)
    assert (first.kind, first.is_resolution) == ("stock-out", False)
    assert (second.kind, second.severity, second.undoes) == ("stock-refilled", "info", "error")
    assert (second.troubles, second.ends[:2]) == (
        [],
        ["stock: Product 2 (2) is low", "stock: Product 2 (2) is out"],
    )
    assert second.title == "products: 2 no longer short"
    assert second.is_resolution == is_all_well


@pytest.mark.usefixtures("platform")
def test_what_is_only_noted_is_no_alert() -> None:
    assert alerts_about([change(1, "low", 9, alert_id=None, kind=None)], Settings()) == []


@pytest.mark.usefixtures("prefect_server", "platform")
def test_every_change_that_is_an_alert_is_an_event_too() -> None:
    emit([change(4711, "out", 0), change(4712, "low", 3, alert_id=None, kind=None)])
    wanted = {"filter": {"event": {"prefix": ["ecommerce-pipeline.stock."]}}}
    with get_client(sync_client=True) as client:
        for _ in range(100):
            found = client.request("POST", "/events/filter", json=wanted).json()["events"]
            if found := [each for each in found if "471" in each["resource"]["prefect.resource.id"]]:
                break
            time.sleep(0.1)
    [event] = found
    assert event["event"] == "ecommerce-pipeline.stock.out"
    assert event["resource"] == {
        "prefect.resource.id": "ecommerce-pipeline.product.production.4711",
        "prefect.resource.name": "Product 4711 (4711)",
    }
    assert (event["payload"]["on_hand"], event["payload"]["reorder_point"]) == (0, 20)
