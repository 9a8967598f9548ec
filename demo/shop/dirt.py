"""Faults put into orders on purpose, for the gates to catch, and their mending by the shop.

The kinds are the row rules of the design turned round. Each befalls `scale` orders a day, new or moving
ones: of a moving order an earlier, valid version is in the lake already.
"""

import datetime as dt
import random
from collections.abc import Callable, Mapping, Sequence

from demo.shop.catalogue import price
from demo.shop.chance import OFFICE_HOURS, moments, some
from demo.shop.orders import pieces_for
from demo.shop.tables import STATUSES, Customer, Order, Product

# The classic slip of the pen: the right day of the wrong year.
WRONG_YEAR = dt.timedelta(days=365)

KINDS: dict[str, Callable[[Order], Order]] = {
    "negative amount": lambda order: order._replace(amount=-order.amount),
    "zero quantity": lambda order: order._replace(quantity=0),
    "absurd quantity": lambda order: order._replace(quantity=5000),
    "misspelt status": lambda order: order._replace(status="unknwn"),
    "untidy status": lambda order: order._replace(status="DELIVERED "),
    "no customer": lambda order: order._replace(customer_id=None),
    "future date": lambda order: order._replace(order_date=order.order_date + WRONG_YEAR),
}


def spoil(rng: random.Random, orders: Sequence[Order], scale: float) -> list[Order]:
    """The same orders with `scale` of each kind of dirt among them, one kind to an order."""
    kinds = [spoiled for spoiled in KINDS.values() for _ in range(some(rng, scale))][: len(orders)]
    victims = rng.sample(range(len(orders)), len(kinds))
    result = list(orders)
    for index, spoiled in zip(victims, kinds, strict=True):
        result[index] = spoiled(result[index])
    return result


def orphan(
    rng: random.Random, orders: Sequence[Order], strangers: Sequence[int], novelties: Sequence[Product]
) -> list[Order]:
    """The same orders, but one each by the customers `strangers` and for the `novelties`: tomorrow's rows."""
    result = list(orders)
    chosen = iter(rng.sample(range(len(result)), min(len(strangers) + len(novelties), len(result))))
    for customer_id, index in zip(strangers, chosen, strict=False):
        result[index] = result[index]._replace(customer_id=customer_id)
    for product, index in zip(novelties, chosen, strict=False):
        amount = price(product) * result[index].quantity
        result[index] = result[index]._replace(product_id=product.product_id, amount=amount)
    return result


def mend(
    rng: random.Random,
    day: dt.date,
    dirty: Sequence[Order],
    customers: Sequence[Customer],
    products: Mapping[int, Product],
) -> list[Order]:
    """Half of yesterday's dirty orders, rounded up, with valid values; the shop never notices the others."""
    noticed = rng.sample(dirty, (len(dirty) + 1) // 2)
    times = moments(rng, day, len(noticed), 0, OFFICE_HOURS)
    return [
        _mended(order, day, rng.choice(customers), products)._replace(updated_at=at)
        for order, at in zip(noticed, times, strict=True)
    ]


def _mended(order: Order, day: dt.date, caller: Customer, products: Mapping[int, Product]) -> Order:
    amount = abs(order.amount)
    product = products.get(order.product_id or 0)
    return order._replace(
        amount=amount,
        quantity=order.quantity
        if 1 <= order.quantity <= 100
        else pieces_for(amount, product)
        if product
        else 1,
        # An unreadable order is mended as delivered: forward from any status.
        status=order.status if order.status in STATUSES else "delivered",
        customer_id=order.customer_id or caller.customer_id,
        order_date=order.order_date - WRONG_YEAR if order.order_date > day else order.order_date,
    )
