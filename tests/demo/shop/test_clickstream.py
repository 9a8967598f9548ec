"""The clickstream of the synthetic shop: which lines its files hold, good, broken and delivered twice."""

import datetime as dt
import gzip
import json
from collections import Counter
from typing import Any

from demo.shop import clickfiles
from tests.support.weekend import FRIDAY, SATURDAY, SUNDAY, Weekend, lines, midnight

Event = dict[str, Any]


def parsed(text: str) -> Event | None:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return None


def instant(event: Event) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(event["timestamp"])
    except ValueError:
        return None


def good_events(weekend: Weekend, day: dt.date) -> list[Event]:
    """The events in the folder of `day` that the row rules accept, once each; `at` is their time in UTC."""
    events = {}
    for text in lines(weekend.folder, day):
        event = parsed(text)
        if event and event.get("event_id") and event.get("user_id") and (at := instant(event)):
            events[event["event_id"]] = event | {"at": at.astimezone(dt.UTC)}
    return list(events.values())


def test_three_files_a_day_and_nothing_else(weekend: Weekend) -> None:
    names = {f"{day}/{part}" for day in (FRIDAY, SATURDAY, SUNDAY) for part in clickfiles.PARTS}
    assert {str(path.relative_to(weekend.folder)) for path in weekend.folder.glob("*/*")} == names


def test_broken_lines_of_every_kind_are_few(weekend: Weekend) -> None:
    events = [parsed(text) for text in lines(weekend.folder, FRIDAY)]
    texts = [text for text in lines(weekend.folder, FRIDAY) if parsed(text) is None]
    kinds = {
        "truncated": sum(text.startswith("{") for text in texts),
        "log line": sum(" WARN " in text for text in texts),
        "no event_id": sum(event is not None and not event.get("event_id") for event in events),
        "no user_id": sum(event is not None and not event.get("user_id") for event in events),
        "unreadable timestamp": sum(event is not None and instant(event) is None for event in events),
    }
    assert all(count >= 6 for count in kinds.values()), kinds
    assert sum(kinds.values()) < 0.01 * len(events)


def test_events_of_the_day_lie_within_it_and_may_have_offsets_or_fractions(weekend: Weekend) -> None:
    events = good_events(weekend, FRIDAY)
    assert all(midnight(FRIDAY) <= event["at"] < midnight(SATURDAY) for event in events)
    times = [event["timestamp"] for event in events]
    assert sum(time.endswith("+09:00") for time in times) > 20
    assert sum("." in time for time in times) > 20
    assert sum(time.endswith("Z") for time in times) > 5000


def test_events_are_delivered_twice_within_a_file_across_files_and_a_day_later(weekend: Weekend) -> None:
    folder = weekend.folder / SATURDAY.isoformat()
    first = Counter((folder / clickfiles.PARTS[0]).read_text().splitlines())
    second = set(gzip.decompress((folder / clickfiles.PARTS[1]).read_bytes()).decode().splitlines())
    third = set((folder / clickfiles.PARTS[2]).read_text().splitlines())
    yesterday = set(lines(weekend.folder, FRIDAY))
    assert sum(count > 1 for count in first.values()) >= 10
    assert len(second & third) >= 8
    assert len(yesterday & set(first)) == 10


def test_purchases_are_the_days_orders(weekend: Weekend) -> None:
    state, before = weekend.states[2]["orders"], weekend.states[1]["orders"]
    events = good_events(weekend, SATURDAY)
    todays = [e for e in events if e["at"] >= midnight(SATURDAY) and e["event_type"] == "purchase"]
    placed = [order for key, order in state.items() if key not in before and order["order_date"] >= SATURDAY]
    assert 0.8 * len(placed) < len(todays) < 0.9 * len(placed)
    for event in todays:
        order = state[event["properties"]["order_id"]]
        assert order["k"] not in before
        assert event["properties"]["product_id"] == order["product_id"]
        assert event["user_id"] == str(order["customer_id"]) or order["customer_id"] is None


def test_the_funnel_narrows_and_the_evening_is_busiest(weekend: Weekend) -> None:
    events = good_events(weekend, FRIDAY)
    steps = Counter(event["event_type"] for event in events)
    funnel = ["page_view", "product_view", "add_to_cart", "checkout", "purchase"]
    assert [step for step, _ in steps.most_common()] == funnel
    hours = Counter(event["at"].hour for event in events)
    assert hours.most_common(1)[0][0] in (19, 20)
    assert any(event["user_id"].startswith("anon-") for event in events)
