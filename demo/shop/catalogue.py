"""The shop's customers and products: new ones, and changes to those there are."""

import datetime as dt
import random
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from demo.shop.chance import is_weekend, nature
from demo.shop.tables import Customer, Product

CENT = Decimal("0.01")

SEGMENTS = {"Consumer": 60, "Corporate": 20, "Small Business": 14, "VIP": 6}  # share of new customers, %
REGIONS = {
    "North America": 35,
    "Europe": 30,
    "Asia Pacific": 20,
    "Latin America": 10,
    "Middle East & Africa": 5,
}

# Letters beyond ASCII on purpose: a pipeline that loses them should be seen to.
FIRST_NAMES = (
    "Ada",
    "Björn",
    "Carla",
    "Diego",
    "Elif",
    "Femi",
    "Grace",
    "Hiro",
    "Inês",
    "Jonas",
    "Kateřina",
    "Léa",
    "Mei",
    "Noah",
    "Olga",
    "Priya",
    "Quinn",
    "Rosa",
    "Søren",
    "Tariq",
    "Uma",
    "Victor",
    "Zoë",
)
LAST_NAMES = (
    "Almeida",
    "Brown",
    "Costa",
    "Dubois",
    "Eriksson",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Nguyen",
    "O'Neill",
    "Patel",
    "Rossi",
    "Şahin",
    "Tanaka",
    "李",
)


class Category(NamedTuple):
    """A shelf: the nouns of its products, the range of unit costs, the markup, and how often it sells."""

    nouns: tuple[str, ...]
    cost: tuple[int, int]  # currency units
    markup: Decimal  # price = unit_cost times markup
    weekday: int  # weight
    weekend: int  # weight


CATEGORIES = {
    "Electronics": Category(
        ("Headphones", "Speaker", "Tablet", "Monitor"), (25, 320), Decimal("1.45"), 18, 14
    ),
    "Home & Kitchen": Category(("Kettle", "Pan", "Blender", "Knife"), (8, 90), Decimal("1.80"), 15, 20),
    "Office": Category(("Notebook", "Desk Lamp", "Chair", "Pen Set"), (3, 140), Decimal("1.70"), 20, 5),
    "Sports": Category(("Yoga Mat", "Dumbbell", "Racket", "Bottle"), (6, 80), Decimal("1.75"), 10, 18),
    "Toys": Category(("Puzzle", "Kite", "Robot", "Board Game"), (5, 45), Decimal("1.90"), 8, 20),
    "Beauty": Category(("Cream", "Perfume", "Brush", "Soap"), (3, 55), Decimal("2.20"), 12, 12),
    "Garden": Category(("Planter", "Hose", "Trowel", "Lantern"), (5, 95), Decimal("1.65"), 6, 18),
    "Books": Category(("Novel", "Atlas", "Cookbook", "Biography"), (4, 28), Decimal("1.60"), 11, 11),
}
STYLES = ("Classic", "Compact", "Deluxe", "Eco", "Everyday", "Nordic", "Pro", "Travel", "Urban", "Vintage")


def new_customer(rng: random.Random, customer_id: int, at: dt.datetime) -> Customer:
    """A customer who signs up at `at`."""
    name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"
    return Customer(customer_id, name, _pick(rng, SEGMENTS), _pick(rng, REGIONS), at)


def new_product(seed: int, product_id: int, at: dt.datetime) -> Product:
    """A product that is listed at `at`.

    All else follows from its key: it can be sold before it is listed, at the right price, and no shelf
    stays empty.
    """
    rng = nature(seed, "product", product_id)
    names = list(CATEGORIES)
    category = names[product_id % len(names)]
    shelf = CATEGORIES[category]
    low, high = shelf.cost
    unit_cost = Decimal(rng.randrange(low * 100, high * 100)) * CENT
    return Product(product_id, f"{rng.choice(STYLES)} {rng.choice(shelf.nouns)}", category, unit_cost, at)


def move(rng: random.Random, customer: Customer, at: dt.datetime) -> Customer:
    """The customer changes segment or region."""
    if rng.random() < 0.5:
        others = {name: share for name, share in SEGMENTS.items() if name != customer.customer_segment}
        return customer._replace(customer_segment=_pick(rng, others), updated_at=at)
    others = {name: share for name, share in REGIONS.items() if name != customer.region}
    return customer._replace(region=_pick(rng, others), updated_at=at)


def reprice(rng: random.Random, product: Product, at: dt.datetime) -> Product:
    """The supplier asks up to 8 % more or less, and never the same."""
    percent = rng.choice((-1, 1)) * rng.randint(1, 8)
    change = max((product.unit_cost * abs(percent) / 100).quantize(CENT), CENT)
    return product._replace(unit_cost=product.unit_cost + change.copy_sign(percent), updated_at=at)


def price(product: Product) -> Decimal:
    """The price of one piece, before any discount."""
    return (product.unit_cost * CATEGORIES[product.category].markup).quantize(CENT)


def customer_weights(customers: Sequence[Customer]) -> list[int]:
    """Each customer's weight in orders: segments differ, and every seventh is a regular."""
    by_segment = {"Consumer": 2, "Corporate": 4, "Small Business": 3, "VIP": 8}
    return [by_segment[c.customer_segment] * (5 if c.customer_id % 7 == 0 else 1) for c in customers]


def product_weights(products: Sequence[Product], day: dt.date) -> list[int]:
    """Each product's weight in sales: shelves have a weekday and a weekend, and there are bestsellers."""
    weekend = is_weekend(day)
    shelves = [CATEGORIES[p.category] for p in products]
    return [
        (shelf.weekend if weekend else shelf.weekday) * (3 if p.product_id % 5 == 0 else 1)
        for p, shelf in zip(products, shelves, strict=True)
    ]


def _pick(rng: random.Random, shares: dict[str, int]) -> str:
    return rng.choices(list(shares), list(shares.values()))[0]
