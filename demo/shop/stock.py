"""The shop's two warehouses: pieces sold and delivered, and the events that say so.

Each event lies in `demo.stock_events`, written in the transaction of the orders it follows from, until
`publish` has brought it to Kafka. A publish that is cut off sends some events again, as real ones do.
"""

import datetime as dt
import json
import random
from collections.abc import Sequence
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import execute_values

from blocks.kafka_client import client_options
from blocks.settings.settings import Settings
from demo.shop import tables
from demo.shop.chance import DAY, OFFICE_HOURS, die, midnight, moment, nature
from demo.shop.tables import Order

WAREHOUSES = ("north", "south")
PARTITIONS = 3
SEND_SECONDS = 60
# Days' sales on the shelf when the shop opens: (weight, least, most). One product in twenty sells out soon.
FIRST_STOCK = ((5, 1, 3), (12, 4, 9), (83, 15, 40))
DELIVERED_BELOW_DAYS, DELIVERY_DAYS, DELIVERY_CHANCE = 10, 30, 0.2
NEW_PRODUCT_PIECES = 60
DDL = """
CREATE TABLE IF NOT EXISTS demo.stock (
    product_id BIGINT,
    warehouse_id TEXT,
    on_hand INTEGER NOT NULL,
    PRIMARY KEY (product_id, warehouse_id)
);
CREATE TABLE IF NOT EXISTS demo.stock_events (number BIGSERIAL PRIMARY KEY, event JSONB NOT NULL);
"""


class Shelves:
    """The stock of a day, in the caller's transaction: every movement becomes an event."""

    def __init__(self, cursor: Cursor, day: dt.date) -> None:
        """The stock as the day begins; a shop from before there were warehouses gets them now."""
        self._cursor, self._day = cursor, day
        cursor.execute(DDL)
        cursor.execute("SELECT product_id, warehouse_id, on_hand FROM demo.stock")
        self._on_hand: dict[tuple[int, str], int] = {(row[0], row[1]): row[2] for row in cursor.fetchall()}
        self._events: list[dict[str, Any]] = []

    @property
    def products(self) -> set[int]:
        """The products that any warehouse has a place for."""
        return {product_id for product_id, _ in self._on_hand}

    def pieces(self, product_id: int) -> int:
        """Pieces of a product that are there, in all warehouses."""
        return sum(self._on_hand.get((product_id, warehouse), 0) for warehouse in WAREHOUSES)

    def move(self, product_id: int, warehouse: str, change: int, at: dt.datetime) -> None:
        """Bring or take pieces; no more can be taken than are there."""
        before = self._on_hand.get((product_id, warehouse), 0)
        after = max(0, before + change)
        self._on_hand[product_id, warehouse] = after
        self._events.append(
            {
                "event_id": f"{self._day}-{len(self._events)}",
                "product_id": product_id,
                "warehouse_id": warehouse,
                "quantity_change": after - before,
                "on_hand": after,
                "event_time": at.isoformat(),
            }
        )

    def take(self, product_id: int, pieces: int, at: dt.datetime) -> None:
        """Take pieces for an order, from the fuller warehouse first."""
        by_stock = sorted(WAREHOUSES, key=lambda warehouse: -self._on_hand.get((product_id, warehouse), 0))
        for warehouse in by_stock:
            taken = min(pieces, self._on_hand.get((product_id, warehouse), 0))
            if taken:
                self.move(product_id, warehouse, -taken, at)
                pieces -= taken

    def save(self) -> None:
        """Write the levels and the events."""
        levels = [(*key, on_hand) for key, on_hand in self._on_hand.items()]
        execute_values(
            self._cursor,
            "INSERT INTO demo.stock VALUES %s ON CONFLICT (product_id, warehouse_id) "
            "DO UPDATE SET on_hand = EXCLUDED.on_hand",
            levels,
        )
        events = [(json.dumps(event),) for event in [*self._events, *_dirt(self._events)]]
        execute_values(self._cursor, "INSERT INTO demo.stock_events (event) VALUES %s", events)


def play(cursor: Cursor, seed: int, day: dt.date, placed: Sequence[Order]) -> None:
    """The day's movements: new products and deliveries in the morning, then the orders as they come."""
    rng, shelves = die(seed, day, "stock"), Shelves(cursor, day)
    rates = _units_per_day(cursor, day)
    is_opening = not shelves.products
    # (when, product, pieces taken or, negative, delivered), to be done in the order of time.
    moves = [(order.updated_at, order.product_id, order.quantity) for order in placed if order.product_id]
    for product in tables.products(cursor):
        key, rate = product.product_id, rates.get(product.product_id, 0.0)
        if key not in shelves.products:
            pieces = _first_stock(seed, key, rate) if is_opening else NEW_PRODUCT_PIECES
            shelves.move(key, "north", pieces - pieces // 3, midnight(day))
            shelves.move(key, "south", pieces // 3, midnight(day))
        elif shelves.pieces(key) < rate * DELIVERED_BELOW_DAYS and rng.random() < DELIVERY_CHANCE:
            moves.append((moment(rng, day, OFFICE_HOURS), key, -round(rate * DELIVERY_DAYS)))
    for at, key, pieces in sorted(moves):
        if pieces < 0:
            shelves.move(key, rng.choice(WAREHOUSES), -pieces, at)
        elif key in shelves.products:
            shelves.take(key, pieces, at)
    shelves.save()


def publish(connection: Connection) -> int:
    """Bring the waiting events to the topic, made at first use, and forget them; returns how many.

    Raises kafka.errors.KafkaError, after which they are still waiting.
    """
    settings = Settings()
    _ensure_topic(settings)
    producer = KafkaProducer(**client_options(settings), enable_idempotence=True, acks="all")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM demo.stock_events RETURNING number, event")
            events = [event for _, event in sorted(cursor.fetchall(), key=lambda row: row[0])]
            sent = [
                producer.send(
                    settings.inventory_topic,
                    json.dumps(event).encode(),
                    key=str(event.get("product_id")).encode(),
                )
                for event in events
            ]
            for each in sent:
                each.get(timeout=SEND_SECONDS)
    finally:
        producer.close()
    return len(sent)


def _ensure_topic(settings: Settings) -> None:
    admin = KafkaAdminClient(**client_options(settings))
    try:
        if settings.inventory_topic not in admin.list_topics():
            admin.create_topics([NewTopic(settings.inventory_topic, PARTITIONS, 1)])
    finally:
        admin.close()


def _units_per_day(cursor: Cursor, day: dt.date) -> dict[int, float]:
    days = 14
    cursor.execute(
        "SELECT product_id, sum(quantity) FROM orders WHERE order_date >= %s AND order_date < %s GROUP BY 1",
        (day - days * DAY, day),
    )
    return {product_id: float(pieces) / days for product_id, pieces in cursor.fetchall()}


def _first_stock(seed: int, product_id: int, rate: float) -> int:
    rng: random.Random = nature(seed, "stock", product_id)
    [(_, least, most)] = rng.choices(FIRST_STOCK, [weight for weight, _, _ in FIRST_STOCK])
    return max(1, round(rate * rng.uniform(least, most)))


def _dirt(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The faults of every day: an event twice, one of a product that nobody knows, one that is none."""
    if not events:
        return []
    return [
        events[0],
        {**events[0], "event_id": f"{events[0]['event_id']}-ghost", "product_id": 10**9},
        {"note": "test message, please ignore"},
    ]
