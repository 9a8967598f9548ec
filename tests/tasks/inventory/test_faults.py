"""A broker that falls silent in mid-batch, or is slow: given up in time or waited for, and each event once."""

import json
import threading
import time
from collections.abc import Iterator

import psutil
import pytest
from kafka import KafkaProducer

from blocks import kafka_client
from blocks.settings.failures import TransientFailure
from demo.services import kafka as service
from tasks.inventory import consumer as module
from tasks.inventory.consumer import InventoryConsumer, consume_to_end
from tasks.inventory.message import TABLE
from tests.support.platforms import Broker, Platform, here

EVENTS = 2_000
# So that the events are more than a client asks for at once.
NOTE = "x" * 5_000


@pytest.fixture
def broker(kafka: Broker, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[psutil.Process]:
    """The process of a broker with a topic of numbered events, and a consumer's small batches and patience."""
    topic = kafka.make_topic()
    for variable, value in {"KAFKA_BOOTSTRAP_SERVERS": kafka.address, "INVENTORY_TOPIC": topic}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(module, "BATCH_EVENTS", 500)
    monkeypatch.setattr(module, "SESSION_TIMEOUT_MS", 1_500)
    monkeypatch.setattr(kafka_client, "REQUEST_TIMEOUT_MS", 3_000)
    monkeypatch.setattr(kafka_client, "BOOTSTRAP_TIMEOUT_MS", 3_000)
    producer = KafkaProducer(bootstrap_servers=kafka.address)
    for number in range(EVENTS):
        producer.send(
            topic, json.dumps({"event_id": number, "note": NOTE}).encode(), key=str(number % 7).encode()
        )
    producer.flush()
    producer.close()
    process = service._broker(kafka.directory)
    assert process
    yield process
    process.resume()


def events(platform: Platform) -> list[int]:
    table = platform.lake.table(TABLE)
    assert table
    return sorted(json.loads(raw)["event_id"] for raw in table.to_pyarrow_table()["raw"].to_pylist())


def consume_the_rest() -> None:
    consumer = InventoryConsumer(*here())
    consume_to_end(consumer)
    consumer.close()


@pytest.mark.slow
def test_a_broker_that_falls_silent_is_given_up_and_each_event_comes_once(
    broker: psutil.Process, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    consumer = InventoryConsumer(*here())
    consume_batch = consumer.consume_batch

    def then_silent() -> int:
        count = consume_batch()
        if count:
            broker.suspend()
            monkeypatch.setattr(module, "IDLE_SECONDS", 3)
        return count

    monkeypatch.setattr(consumer, "consume_batch", then_silent)
    begun = time.monotonic()
    with pytest.raises(TransientFailure, match="Kafka"):
        consume_to_end(consumer)
    # The next run cannot begin before Kafka answers.
    with pytest.raises(TransientFailure, match="Kafka"):
        InventoryConsumer(*here())
    consumer.close()
    assert time.monotonic() - begun < 90
    held = len(events(platform))
    assert 0 < held < EVENTS
    broker.resume()
    monkeypatch.setattr(module, "IDLE_SECONDS", 60)
    consume_the_rest()
    assert events(platform) == list(range(EVENTS))


def test_a_slow_broker_only_takes_longer(broker: psutil.Process, platform: Platform) -> None:
    is_over = threading.Event()

    def brake() -> None:
        while not is_over.wait(0.05):
            broker.suspend()
            time.sleep(0.2)
            broker.resume()

    braking = threading.Thread(target=brake)
    braking.start()
    try:
        consume_the_rest()
    finally:
        is_over.set()
        braking.join()
    assert events(platform) == list(range(EVENTS))
