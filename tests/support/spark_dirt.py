"""Rows with every kind of fault, drawn at random, for two engines to agree on."""

import datetime as dt
import json
from decimal import Decimal
from random import Random
from typing import Any

from lake.catalog import catalog
from tests.support.rows import DAY, at
from tests.support.spark_tables import clicks

BATCHES, ROWS, KEYS = 2, 200, 40

TEXTS = [None, "", " ", "a", "A", "\u00e9", "\U0001f600", '"', "\\", "\n", "\u2028", "pending", "10", "9"]

# As JSON has them: each engine writes some of them in its own way.
NUMBERS = ["7", "7.10", "7.1", "1e5", "-0", "10000000000000000000000001", "1234567890.1700000001"]

OFFSETS = ["", "Z", "+00:00", "-03:30", "+0530", "+14", "z", " UTC", "[UTC]", "+25:00"]


class Dirt:
    """Draws rows that are mostly sound, with every kind of fault and many repeated keys among them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def bronze(self) -> dict[str, list[dict[str, Any]]]:
        """A batch of every bronze table."""
        draws = {"orders": self.order, "customers": self.customer, "products": self.product}
        # Bronze is unique on key and version.
        logs = {
            name: list(
                {tuple(row.values())[:: len(row) - 1]: row for row in (draw() for _ in range(ROWS))}.values()
            )
            for name, draw in draws.items()
        }
        lines = [self.line() for _ in range(ROWS)]
        return logs | {"clickstream": clicks(*lines, source_file=f"{DAY}/part-{self.random.random()}.jsonl")}

    def order(self) -> dict[str, Any]:
        cents = self.either(self.random.randint(1, 10**5), -1, 0, 10**8, 10**8 + 1, None)
        return {
            "order_id": self.key(),
            "customer_id": self.key(),
            "product_id": self.key(),
            "order_date": self.either(DAY, DAY + dt.timedelta(days=self.random.randint(-9, 3)), None),
            "amount": None if cents is None else Decimal(cents) / 100,
            "quantity": self.either(self.random.randint(1, 100), 0, 101, None),
            "status": self.either(
                self.random.choice(catalog()["orders"].column("status").valid_values), *TEXTS
            ),
            "updated_at": self.either(self.time(), None),
        }

    def customer(self) -> dict[str, Any]:
        names = ("customer_name", "customer_segment", "region")
        return (
            {"customer_id": self.key()} | self.texts(*names) | {"updated_at": self.either(self.time(), None)}
        )

    def product(self) -> dict[str, Any]:
        cost = {"unit_cost": self.either(Decimal(self.random.randint(0, 10**6)) / 100, None)}
        names = ("product_name", "category")
        return {"product_id": self.key()} | self.texts(*names) | cost | {"updated_at": self.time()}

    def line(self) -> str:
        event = {
            "event_id": self.either(str(self.key()), 7, True, ["x"], {"x": None}, *TEXTS),
            "user_id": self.either(str(self.key()), 7, 7, 7, *TEXTS),
            **self.texts("session_id", "event_type", "page_url"),
            "timestamp": self.either(self.time().isoformat(), self.odd_time(), 1709553600, *TEXTS),
            "properties": self.either({"product_id": self.key()}, {"product_id": [1]}, {}, [], "x", None),
        }
        kept = {name: value for name, value in event.items() if self.random.random() < 0.98}
        text = json.dumps(kept, ensure_ascii=self.random.random() < 0.5)
        at_character = self.random.randrange(len(text))
        return self.either(
            text,
            text[:at_character],
            text[:at_character] + text[at_character + 1 :],
            text[:at_character] + self.random.choice('{}[]",:\\ x0\u00e9\0') + text[at_character:],
            text + text,
            f"{text},{text}",
            f"[{text}, {text}]",
            f"[{text},{text[:at_character]}",
            text.replace(": 7", f": {self.random.choice(NUMBERS)}"),
            text.replace('"', "'"),
        )

    def key(self) -> int | None:
        return self.either(self.random.randrange(KEYS), None)

    def texts(self, *names: str) -> dict[str, str | None]:
        return {name: self.random.choice(TEXTS) for name in names}

    def time(self) -> dt.datetime:
        micro = self.random.choice([0, 0, 1, 1000, 999_999])
        return at(DAY, self.random.randrange(24), self.random.randrange(2), 0, micro)

    def odd_time(self) -> str:
        year = self.random.choice(["2024", "0000", "1969", "9999", "12024", "24"])
        day = self.random.choice(["-03-04", "-3-4", "-02-30", "", "-13-01"])
        clock = self.random.choice(
            ["T12:00:00", " 12:00", "T12:00:00.123456789", "T12:00:00,5", "T24:00:00", ""]
        )
        return year + day + clock + self.random.choice(OFFSETS)

    def either(self, usual: Any, *faults: Any) -> Any:
        return usual if self.random.random() < 0.9 else self.random.choice(faults)
