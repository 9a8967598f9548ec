"""A shop whose days are all alike, with its sources, its lake and its warehouse."""

import dataclasses
import datetime as dt
import json
from pathlib import Path

from deltalake import DeltaTable
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic

from benchmarks import ours
from benchmarks.check import differences
from benchmarks.clicks import ClickCounts
from benchmarks.contender import Inputs
from benchmarks.data import FIRST_DAY, PRODUCTS, Changes, Scale, generate, next_day
from benchmarks.suite import CONTENDERS
from lake.delta import Lake

# Volume 1 is a weekday of the demo shop at ten times its size.
SHOP = Scale("days", orders=4_000, events=60_000, customers=8_000)
A_DAY = Changes(orders=4_000, events=60_000, customers=120, products=50)
STOCK_EVENTS, PARTITIONS, TOPIC = 4_000, 3, "inventory"
# No product is ever low: messages would be another matter.
ON_HAND = 100_000
# The first load; an order changes within as many days.
FIRST_DAYS = 14


class Shop:
    """A shop in `folder`, the database `dsn` and the brokers `kafka`; open for FIRST_DAYS days."""

    def __init__(self, folder: Path, dsn: str, kafka: str, volume: float) -> None:
        self.home, self.kafka = folder / "home", kafka
        self.lake = self.home / "lake"
        numbers = {name: round(value * volume) for name, value in dataclasses.asdict(A_DAY).items() if value}
        self.changes = Changes(**numbers, newest=FIRST_DAYS * numbers["orders"])
        self.stock_events = round(STOCK_EVENTS * volume)
        self.day = FIRST_DAY
        customers = round(SHOP.customers * volume)
        size = dataclasses.replace(SHOP.part(volume * FIRST_DAYS), customers=customers)
        self.data = generate(size, dsn, folder / "data", self.day, FIRST_DAYS)
        (self.home / "tmp").mkdir(parents=True)
        admin = KafkaAdminClient(bootstrap_servers=kafka)
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])
        admin.close()

    @property
    def age(self) -> int:
        """Days since the first load."""
        return (self.day - FIRST_DAY).days

    def environment(self) -> dict[str, str]:
        """What the flows' settings are read from."""
        settings = ours.settings(self.home) | {
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka,
            "INVENTORY_TOPIC": TOPIC,
            "DBT_TARGET_PATH": str(self.home / "dbt_target"),
            "TMPDIR": str(self.home / "tmp"),
        }
        inputs = Inputs(self.data.dsn, self.data.clickstream, self.lake)
        return inputs.environment() | {name: value for name, value in settings.items() if value is not None}

    def live(self) -> None:
        """The next day happens."""
        self.day += dt.timedelta(days=1)
        next_day(self.data, self.day, self.changes)
        noon = dt.datetime.combine(self.day, dt.time(12), dt.UTC)
        producer = KafkaProducer(bootstrap_servers=self.kafka, acks="all")
        for number in range(self.stock_events):
            event = {
                "event_id": f"{self.day}-{number}",
                "product_id": 1 + number % PRODUCTS,
                "warehouse_id": f"w{number // PRODUCTS}",
                "quantity_change": -1,
                "on_hand": ON_HAND,
                "event_time": (noon + dt.timedelta(milliseconds=number)).isoformat(),
            }
            producer.send(TOPIC, json.dumps(event).encode(), key=str(event["product_id"]).encode())
        producer.close()

    def age_lake(self) -> None:
        """Delete what the maintenance of a week later would: the files that none but older versions have."""
        lake = Lake(self.lake.as_uri())
        for name in lake.tables():
            DeltaTable(lake.uri(name)).vacuum(0, dry_run=False, enforce_retention_duration=False)

    def kept(self) -> dict[str, dict[str, int]]:
        """Files and bytes of all that stays from one day to the next, by folder; the lake's by layer, too."""
        places = [*self.home.iterdir(), *self.lake.iterdir()]
        sizes = {str(place.relative_to(self.home)): _size(place) for place in sorted(places)}
        return sizes | {"lake's logs": _size(*self.lake.rglob("_delta_log"))}

    def check(self) -> None:
        """Raises SystemExit if the lake is wrong: a fast wrong answer is no benchmark."""
        clicks = FIRST_DAYS * ClickCounts(self.data.scale.events // FIRST_DAYS).valid
        clicks += self.age * ClickCounts(self.changes.events).valid
        wrong = differences(self.data, self.lake, CONTENDERS["flow"].layout, self.age + 1, clicks)
        stock = Lake(self.lake.as_uri()).table("silver.inventory")
        events = stock.to_pyarrow_dataset().count_rows() if stock else 0
        if events != self.age * self.stock_events:
            wrong.append(f"stock events: {events}, expected {self.age * self.stock_events}")
        if wrong:
            raise SystemExit("; ".join(wrong))


def _size(*places: Path) -> dict[str, int]:
    files = [file for place in places for file in (place, *place.rglob("*")) if file.is_file()]
    return {"files": len(files), "bytes": sum(file.stat().st_size for file in files)}
