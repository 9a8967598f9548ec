"""Changes of stock: each found once, and recorded before people are notified, whoever sees it first."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.alerts.verdict import record_outcome
from tasks.inventory import stock_changes
from tasks.inventory.reorder_points import Product, State
from tasks.inventory.stock_changes import BADNESS, LastSeen, StockChange, news, record_changes, unsent
from tasks.ledger.queries import query_records
from tasks.ledger.records import append_records, ensure_table
from tests.support.alerts import alert
from tests.support.platforms import Platform, lake_here

NOW = dt.datetime(2024, 3, 4, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
PRODUCTS = {
    number: Product(product_id=number, product_name=f"P{number}", units_per_day=1, reorder_point=10)
    for number in (1, 2, 3)
} | {4: Product(product_id=4, product_name="no longer made", units_per_day=0, reorder_point=0)}


@pytest.mark.parametrize(
    ("state", "last", "hours_ago", "expected"),
    [
        ("ok", "ok", None, None),
        ("low", "ok", None, "stock-low"),
        ("out", "ok", None, "stock-out"),
        ("out", "low", 1, "stock-out"),
        ("low", "low", 1, None),
        ("out", "out", 23, None),
        ("low", "low", 24, "stock-low"),
        ("out", "out", 24, "stock-out"),
        ("low", "out", 1, None),
        ("low", "out", 24, "stock-low"),
        ("ok", "low", 1, "stock-refilled"),
        ("ok", "out", 30, "stock-refilled"),
        ("low", "ok", 1, "stock-low"),
    ],
)
def test_what_is_news(state: State, last: State, hours_ago: int | None, expected: str | None) -> None:
    notified_at = None if hours_ago is None else NOW - hours_ago * HOUR
    assert news(state, LastSeen(state=last, notified_at=notified_at), NOW, sells=True) == expected


@given(st.lists(st.sampled_from(["ok", "low", "out"]), max_size=30))
def test_within_a_day_each_crossing_is_reported_once_and_bad_news_is_always_followed_by_good(
    states: list[State],
) -> None:
    last, kinds = LastSeen(), []
    for minute, state in enumerate(states):
        kind = news(state, last, NOW + dt.timedelta(minutes=minute), sells=True)
        if kind:
            kinds.append(kind)
            last.notified_at = NOW + dt.timedelta(minutes=minute)
        assert (kind in ("stock-low", "stock-out")) == (BADNESS[state] > BADNESS[last.state])
        assert (kind == "stock-refilled") == (state == "ok" != last.state)
        last.state = state
    is_short = bool(kinds) and kinds[-1] != "stock-refilled"
    assert is_short == (last.state != "ok")


def changes(
    platform: Platform, on_hand: dict[int, int], run_id: str = "run-1"
) -> list[tuple[int, str | None]]:
    return [(c.product_id, c.kind) for c in record_changes(platform.lake, on_hand, PRODUCTS, run_id)]


def test_changes_are_recorded_once(platform: Platform) -> None:
    assert changes(platform, {1: 9, 2: 0, 3: 50}) == [(1, "stock-low"), (2, "stock-out")]
    assert changes(platform, {1: 9, 2: 0, 3: 50}) == []
    assert changes(platform, {1: 0, 2: 5, 3: 50}) == [(1, "stock-out"), (2, None)]
    assert changes(platform, {1: 0, 2: 0, 3: 50}, run_id="run-2") == [(2, "stock-out")]
    assert changes(platform, {1: 90, 2: 0, 3: 50}) == [(1, "stock-refilled")]
    rows = query_records(
        lake_here(),
        "stock_alerts",
        "select alert_id, product_id, state from records order by recorded_at",
        [],
    )
    assert rows == [
        ("stock-short/1", 1, "low"),
        ("stock-short/1", 2, "out"),
        ("stock-short/2", 1, "out"),
        (None, 2, "low"),
        ("stock-short/3", 2, "out"),
        ("stock-refilled/4", 1, "ok"),
    ]


def test_what_is_still_short_a_day_later_is_reported_again_while_it_sells(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert changes(platform, {1: 9, 4: 0}) == [(1, "stock-low"), (4, "stock-out")]
    monkeypatch.setattr(stock_changes, "REPEAT_AFTER", dt.timedelta(0))
    assert changes(platform, {1: 8, 4: 0}) == [(1, "stock-low")]
    assert changes(platform, {4: 5}) == [(4, "stock-refilled")]


def test_a_product_that_nobody_knows_yet_is_left_for_later(platform: Platform) -> None:
    assert changes(platform, {7: 0}) == []


def test_of_two_that_see_the_same_change_one_records_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, others = append_records, []

    def overtaken(*arguments: Any) -> None:
        if not others:
            others.append(None)
            others.extend(changes(platform, {1: 0}, run_id="the other"))
        real(*arguments)

    monkeypatch.setattr("tasks.inventory.stock_changes.append_records", overtaken)
    assert changes(platform, {1: 0}) == []
    assert others == [None, (1, "stock-out")]
    assert query_records(lake_here(), "stock_alerts", "select run_id from records", []) == [("the other",)]


def delivered(alert_id: str, is_delivered: bool) -> None:
    append_records(
        lake_here(),
        "alert_deliveries",
        [{"alert_id": alert_id, "kind": "stock-low", "channel": "slack", "is_delivered": is_delivered}],
    )


def test_what_no_channel_has_delivered_is_unsent_for_a_day(platform: Platform) -> None:
    record_changes(platform.lake, {1: 9}, PRODUCTS, "run-1")
    record_changes(platform.lake, {1: 9, 2: 0}, PRODUCTS, "run-2")
    now = dt.datetime.now(dt.UTC)
    assert [change.product_id for change in unsent(lake_here(), now)] == [1, 2]
    delivered("stock-short/1", True)
    delivered("stock-short/2", False)
    [left] = unsent(lake_here(), now)
    assert left == StockChange(
        alert_id="stock-short/2",
        run_id="run-2",
        kind="stock-out",
        product_id=2,
        product_name="P2",
        state="out",
        on_hand=0,
        units_per_day=1,
        days_of_cover=0,
        reorder_point=10,
        quantity_to_order=0,
        on_order=0,
    )
    assert unsent(lake_here(), now + 24 * HOUR) == []


def test_what_is_no_longer_so_is_not_sent_late(platform: Platform) -> None:
    """Held back by a snooze, or while Slack was down, and meanwhile refilled."""
    record_changes(platform.lake, {1: 0}, PRODUCTS, "run-1")
    record_changes(platform.lake, {1: 90}, PRODUCTS, "run-2")
    [left] = unsent(lake_here(), dt.datetime.now(dt.UTC))
    assert (left.kind, left.run_id) == ("stock-refilled", "run-2")


def test_what_a_person_has_acknowledged_is_not_sent_later(platform: Platform) -> None:
    [change] = record_changes(platform.lake, {1: 0}, PRODUCTS, "run-1")
    given = alert(alert_id=change.alert_id, kind="stock-out", troubles=["stock: P1 is out"])
    record_outcome(given, lake_here(), "acknowledged")
    assert unsent(lake_here(), dt.datetime.now(dt.UTC)) == []


def test_without_a_ledger_nothing_is_unsent(platform: Platform) -> None:
    assert unsent(lake_here(), NOW) == []
    ensure_table(platform.lake, "stock_alerts")
    assert unsent(lake_here(), NOW) == []
