"""One day of trade: which rows the shop writes, table by table.

Each table has its own die, and meets its rows in the order of their keys: the same state, seed and day always
give the same rows.
"""

import datetime as dt
import random
from dataclasses import dataclass
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor

from demo.shop import catalogue, dirt, orders, tables
from demo.shop.chance import (
    DAY,
    EVENING_PEAK,
    LATE,
    OFFICE_HOURS,
    bustle,
    die,
    midnight,
    moment,
    moments,
    some,
)
from demo.shop.tables import Customer, Order, Product

ORDERS_A_DAY = 400  # this and what follows: at scale 1, on a weekday
CUSTOMERS_AT_FIRST = 800
PRODUCTS_AT_FIRST = 60
# Too few products would leave shelves empty, too few customers would make every one a regular.
LEAST_PRODUCTS, LEAST_CUSTOMERS = 16, 30
NEW_CUSTOMERS, NEW_PRODUCTS = 6, 1
MOVES, PRICE_CHANGES = 12, 5
STRANGERS, NOVELTIES = 2, 1  # customers and products that are ordered by, or for, before they are entered
LATE_ORDERS, LATE_STEPS, LATE_MOVES, LATE_PRICES = 5, 8, 2, 1


class Dealings(NamedTuple):
    """The outcome of one day: rows written per table, and the clicks' side of the story."""

    orders: int
    customers: int
    products: int
    placed: list[Order]  # on this very day, and as their customers meant them, before any dirt


@dataclass(frozen=True)
class Trade:
    """The shop's dealings, written through `cursor` in the caller's transaction."""

    cursor: Cursor
    seed: int
    scale: float

    def found(self, day: dt.date) -> None:
        """The customers and products that exist on the morning of `day`, from the 60 days before it."""
        rng = die(self.seed, day, "founding")

        def past_times(count: int) -> list[dt.datetime]:
            days = [day - rng.randint(1, 60) * DAY for _ in range(count)]
            return sorted(moment(rng, past, EVENING_PEAK) for past in days)

        customers = past_times(max(LEAST_CUSTOMERS, round(CUSTOMERS_AT_FIRST * self.scale)))
        tables.upsert(
            self.cursor, [catalogue.new_customer(rng, key, at) for key, at in enumerate(customers, 1)]
        )
        products = past_times(max(LEAST_PRODUCTS, round(PRODUCTS_AT_FIRST * self.scale)))
        tables.upsert(
            self.cursor, [catalogue.new_product(self.seed, key, at) for key, at in enumerate(products, 1)]
        )

    def play(self, day: dt.date) -> Dealings:
        """All rows of `day`."""
        people, goods = self._people(day), self._goods(day)
        customers, products = tables.customers(self.cursor), tables.products(self.cursor)
        rng = die(self.seed, day, "orders")
        # What is on its way, and what went wrong yesterday, as it stands when the day begins.
        on_the_way = tables.open_orders(self.cursor, day, midnight(day) - LATE)
        dirty = tables.dirty_orders(self.cursor, day - DAY, midnight(day - DAY), midnight(day))

        placed = self._placed(rng, day, customers, products)
        steps = orders.step(rng, day, on_the_way, self._some(rng, LATE_STEPS))
        mended = dirt.mend(rng, day, dirty, customers, {product.product_id: product for product in products})
        rows = dirt.spoil(rng, placed + steps, self.scale) + mended
        tables.upsert(self.cursor, rows)
        todays = [order for order in placed if order.order_date == day]
        return Dealings(len(rows), people, goods, todays)

    def _placed(
        self, rng: random.Random, day: dt.date, customers: list[Customer], products: list[Product]
    ) -> list[Order]:
        """The new orders of `day`, some for customers and products that are entered tomorrow."""
        count = round(ORDERS_A_DAY * self.scale * bustle(day) * rng.uniform(0.93, 1.07))
        first_id = tables.last_key(self.cursor, Order) + 1
        late = self._some(rng, LATE_ORDERS)
        placed = orders.place(rng, day, first_id, count, late, customers, products)
        next_customer, next_product = customers[-1].customer_id + 1, products[-1].product_id + 1
        strangers = self._some(rng, STRANGERS)
        novelties = [
            catalogue.new_product(self.seed, next_product + number, midnight(day))
            for number in range(self._some(rng, NOVELTIES))
        ]
        return dirt.orphan(rng, placed, range(next_customer, next_customer + strangers), novelties)

    def _people(self, day: dt.date) -> int:
        """Customers who sign up, among them those that yesterday's orders named already, or who change."""
        rng = die(self.seed, day, "customers")
        known = tables.customers(self.cursor)
        arriving = tables.awaited(self.cursor, Customer)
        first_id = max(known[-1].customer_id, *arriving, 0) + 1
        arriving += range(first_id, first_id + self._some(rng, NEW_CUSTOMERS))
        times = moments(rng, day, len(arriving), self._some(rng, LATE_MOVES))
        rows = [catalogue.new_customer(rng, key, at) for key, at in zip(arriving, times, strict=True)]

        quiet = [customer for customer in known if customer.updated_at < midnight(day) - LATE]
        moving = rng.sample(quiet, min(self._some(rng, MOVES), len(quiet)))
        times = moments(rng, day, len(moving), self._some(rng, LATE_MOVES))
        rows += [catalogue.move(rng, customer, at) for customer, at in zip(moving, times, strict=True)]
        tables.upsert(self.cursor, rows)
        return len(rows)

    def _goods(self, day: dt.date) -> int:
        """Products that are listed, among them those that yesterday's orders named already, or cost anew."""
        rng = die(self.seed, day, "products")
        known = tables.products(self.cursor)
        arriving = tables.awaited(self.cursor, Product)
        first_id = max(known[-1].product_id, *arriving, 0) + 1
        arriving += range(first_id, first_id + self._some(rng, NEW_PRODUCTS))
        times = moments(rng, day, len(arriving), 0, OFFICE_HOURS)
        rows = [catalogue.new_product(self.seed, key, at) for key, at in zip(arriving, times, strict=True)]

        quiet = [product for product in known if product.updated_at < midnight(day) - LATE]
        changing = rng.sample(quiet, min(self._some(rng, PRICE_CHANGES), len(quiet)))
        times = moments(rng, day, len(changing), self._some(rng, LATE_PRICES), OFFICE_HOURS)
        rows += [catalogue.reprice(rng, product, at) for product, at in zip(changing, times, strict=True)]
        tables.upsert(self.cursor, rows)
        return len(rows)

    def _some(self, rng: random.Random, a_day: float) -> int:
        return some(rng, a_day * self.scale)
