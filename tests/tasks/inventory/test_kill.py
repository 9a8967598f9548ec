"""The consumer is killed again and again while events are written: the lake holds each of them once."""

import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from functools import partial

import pytest
from kafka import KafkaProducer

from blocks.settings.environment import REPOSITORY
from demo.services.kafka import start, stop
from lake.delta import Lake
from spark_jobs.engine.local_server import answers_in_time
from tasks.inventory import consumer as inventory_stream
from tasks.inventory.consumer import InventoryConsumer, consume_to_end
from tasks.inventory.message import TABLE
from tests.support.platforms import Broker, Platform, here

PRODUCTS, KILLS = 200, 20
CHILD = "tests.support.inventory_child"


class Production(threading.Thread):
    """A shop that writes numbered stock changes, and its own books."""

    def __init__(self, address: str, topic: str) -> None:
        super().__init__()
        self.address, self.topic = address, topic
        self.books: Counter[int] = Counter()
        self.events = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        # Idempotent: its own retries, when the broker goes, write nothing twice.
        producer = KafkaProducer(
            bootstrap_servers=self.address, enable_idempotence=True, acks="all", delivery_timeout_ms=120_000
        )
        dice = random.Random(7)
        while not self.is_over.is_set():
            product, change = dice.randrange(PRODUCTS), dice.randrange(-5, 20)
            self.books[product] += change
            event = {"event_id": self.events, "product_id": product, "quantity_change": change}
            producer.send(self.topic, json.dumps(event).encode(), key=str(product).encode())
            self.events += 1
            if self.events % 100 == 0:
                time.sleep(0.2)
        producer.flush()
        producer.close()


def version(lake: Lake) -> int:
    table = lake.table(TABLE)
    return table.version() if table else -1


def has_moved(lake: Lake, before: int) -> bool:
    return version(lake) != before


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_each_event_once_though_the_consumer_is_killed_and_the_broker_restarted(
    kafka: Broker, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    monkeypatch.setenv("INVENTORY_TOPIC", kafka.make_topic())
    monkeypatch.setattr(inventory_stream, "SESSION_TIMEOUT_MS", 1500)
    production = Production(kafka.address, os.environ["INVENTORY_TOPIC"])
    production.start()
    dice, versions = random.Random(11), []
    for number in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-m", CHILD],
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        assert child.stdout
        child.stdout.readline()
        # One in four at any moment, while it begins; the others once they write.
        before = version(platform.lake)
        if number % 4:
            answers_in_time(partial(has_moved, platform.lake, before), lambda: True, 60)
        time.sleep(dice.uniform(0, 3))
        child.kill()
        child.wait()
        versions.append(version(platform.lake))
        if number == KILLS // 2:
            stop(kafka.directory, is_violent=True)
            start(kafka.directory)
    assert len(set(versions)) > KILLS / 2, f"most children were killed before they wrote: {versions}"

    production.is_over.set()
    production.join()
    consumer = InventoryConsumer(*here())
    consume_to_end(consumer)
    consumer.close()
    table = platform.lake.table(TABLE)
    assert table
    events = [json.loads(raw) for raw in table.to_pyarrow_table()["raw"].to_pylist()]
    assert Counter(event["event_id"] for event in events) == Counter(range(production.events))
    state: Counter[int] = Counter()
    for event in events:
        state[event["product_id"]] += event["quantity_change"]
    assert state == production.books
