"""The shop's clickstream: a day's events as browsers would send them (clickfiles.py writes them)."""

import datetime as dt
import random
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from demo.shop.catalogue import customer_weights, product_weights
from demo.shop.chance import DAY, EVENING_PEAK, bustle, midnight, moment
from demo.shop.tables import Customer, Order, Product

Event = dict[str, Any]
Timed = tuple[dt.datetime, Event]

EVENTS_A_DAY = 6000  # at scale 1 on a weekday
SITE = "https://shop.example"
TOKYO = dt.timezone(dt.timedelta(hours=9))

ONLINE = 0.85  # of the orders; the others come by phone
VISITORS = 0.4  # of the browsing sessions are by people who are not logged in
# How far a browsing session goes after its page views: chance of each next step. None of them buys.
FUNNEL = (("product_view", 0.75), ("add_to_cart", 0.25), ("checkout", 0.35))


def events_of(
    rng: random.Random,
    day: dt.date,
    placed: Sequence[Order],
    customers: Sequence[Customer],
    products: Sequence[Product],
    scale: float,
) -> list[Event]:
    """All events of `day` by time: the sessions that led to the orders `placed`, and browsing around them.

    Every event lies within `day`. `placed` are the orders as their customers meant them, before any dirt.
    """
    events: list[Timed] = []
    for order in placed:
        if rng.random() < ONLINE:
            events += _purchase_session(rng, day, order)
    target = round(EVENTS_A_DAY * scale * bustle(day))
    for session in _browsing(rng, day, customers, products):
        if len(events) >= target:
            break
        events += session
    events.sort(key=lambda timed: (timed[0], timed[1]["event_id"]))
    return [event for _, event in events]


def _purchase_session(rng: random.Random, day: dt.date, order: Order) -> list[Timed]:
    """A session that ends in the purchase of `order`, at the moment it was placed."""
    views = rng.randint(1, 3)
    steps = ["page_view", *["product_view"] * views, "add_to_cart", "checkout", "purchase"]
    user = str(order.customer_id)
    session = _session(rng, day, user, steps, order.product_id, ends=order.updated_at)
    session[-1][1]["properties"] |= {"order_id": order.order_id, "quantity": order.quantity}
    return session


def _browsing(
    rng: random.Random, day: dt.date, customers: Sequence[Customer], products: Sequence[Product]
) -> Iterator[list[Timed]]:
    """Sessions without a purchase, for ever."""
    loyalty, demand = customer_weights(customers), product_weights(products, day)
    while True:
        # Drawn by the hundred: a draw costs a pass over all customers.
        for customer, product in zip(
            rng.choices(customers, loyalty, k=100), rng.choices(products, demand, k=100), strict=True
        ):
            user = (
                f"anon-{rng.getrandbits(40):010x}" if rng.random() < VISITORS else str(customer.customer_id)
            )
            steps = ["page_view"] * rng.randint(1, 4)
            for step, chance in FUNNEL:
                if rng.random() >= chance:
                    break
                steps.append(step)
            yield _session(rng, day, user, steps, product.product_id, ends=moment(rng, day, EVENING_PEAK))


def _session(
    rng: random.Random, day: dt.date, user: str, steps: list[str], product_id: int | None, ends: dt.datetime
) -> list[Timed]:
    """One event per step, up to two minutes apart; a session that would leave `day` is moved into it."""
    gaps = [dt.timedelta(milliseconds=rng.randint(2_000, 120_000)) for _ in steps]
    length = sum(gaps, dt.timedelta())
    last_chance = midnight(day) + DAY - dt.timedelta(seconds=1)
    at = max(min(ends, last_chance) - length, midnight(day))
    session_id = f"s-{rng.getrandbits(48):012x}"
    events: list[Timed] = []
    for step, gap in zip(steps, gaps, strict=True):
        at += gap
        properties: Event = {"product_id": product_id}
        if step == "page_view":
            properties = {"referrer": rng.choice(("direct", "search", "newsletter", "social"))}
        event = {
            "event_id": str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "user_id": user,
            "session_id": session_id,
            "event_type": step,
            "page_url": f"{SITE}/{_page(rng, step, product_id)}",
            "timestamp": _timestamp(rng, at),
            "properties": properties,
        }
        events.append((at, event))
    return events


def _page(rng: random.Random, step: str, product_id: int | None) -> str:
    if step == "page_view":
        return rng.choice(("", "search", "sale", "new", "about"))
    return {"product_view": f"products/{product_id}", "add_to_cart": "cart"}.get(step, step)


def _timestamp(rng: random.Random, at: dt.datetime) -> str:
    """ISO 8601 in UTC with Z; now and then with a fraction, or from a browser in Tokyo with its offset."""
    roll = rng.random()
    if roll < 0.01:
        return at.astimezone(TOKYO).isoformat(timespec="seconds")
    return at.isoformat(timespec="milliseconds" if roll < 0.03 else "seconds").replace("+00:00", "Z")
