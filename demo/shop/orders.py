"""The life of orders: placed, then pending → processing → shipped → delivered, or cancelled."""

import datetime as dt
import random
from collections.abc import Sequence
from decimal import Decimal

from demo.shop.catalogue import CENT, customer_weights, price, product_weights
from demo.shop.chance import OFFICE_HOURS, moments
from demo.shop.tables import Customer, Order, Product

# Status → (next status, chance a day to get there, chance a day to be cancelled). About three days in all.
WALK = {
    "pending": ("processing", 0.80, 0.04),
    "processing": ("shipped", 0.60, 0.02),
    "shipped": ("delivered", 0.45, 0.00),
}
PIECES = {1: 60, 2: 22, 3: 9, 4: 5, 6: 3, 12: 1}  # quantity: weight
DISCOUNTS = {0: 80, 5: 12, 10: 8}  # percent: weight; every markup bears the highest


def place(
    rng: random.Random,
    day: dt.date,
    first_id: int,
    count: int,
    late: int,
    customers: Sequence[Customer],
    products: Sequence[Product],
) -> list[Order]:
    """`count` new orders, numbered from `first_id` by time; `late` of them date from the end of yesterday."""
    buyers = rng.choices(customers, customer_weights(customers), k=count)
    goods = rng.choices(products, product_weights(products, day), k=count)
    times = sorted(moments(rng, day, count, late))
    return [
        _order(rng, order_id, customer, product, at)
        for order_id, (customer, product, at) in enumerate(zip(buyers, goods, times, strict=True), first_id)
    ]


def _order(rng: random.Random, order_id: int, customer: Customer, product: Product, at: dt.datetime) -> Order:
    quantity = rng.choices(list(PIECES), list(PIECES.values()))[0]
    if customer.customer_segment in ("Corporate", "Small Business"):
        quantity *= rng.randint(1, 3)
    percent = rng.choices(list(DISCOUNTS), list(DISCOUNTS.values()))[0]
    amount = (price(product) * quantity * (100 - percent) / 100).quantize(CENT)
    return Order(
        order_id, customer.customer_id, product.product_id, at.date(), amount, quantity, "pending", at
    )


def step(rng: random.Random, day: dt.date, orders: Sequence[Order], late: int) -> list[Order]:
    """The new versions of those `orders` that move on `day`; `late` of them are stamped yesterday night."""
    moved = []
    for order in orders:
        onward, go, cancel = WALK[order.status]
        roll = rng.random()
        if roll < go + cancel:
            moved.append(order._replace(status=onward if roll < go else "cancelled"))
    times = moments(rng, day, len(moved), late, OFFICE_HOURS)
    return [order._replace(updated_at=at) for order, at in zip(moved, times, strict=True)]


def pieces_for(amount: Decimal, product: Product) -> int:
    """The quantity that `amount` has paid for, at least one."""
    return max(1, round(amount / price(product)))
