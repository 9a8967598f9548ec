"""Stock events for a real broker, and a consumer that takes them all."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition

from tasks.inventory.consumer import InventoryConsumer, consume_to_end
from tests.support.platforms import Broker, here


def produce(
    kafka: Broker, topic: str, numbers: range, compression: str | None = None, **options: Any
) -> None:
    """Send events numbered `numbers`, keyed by number modulo 50."""
    producer = KafkaProducer(bootstrap_servers=kafka.address, linger_ms=20, compression_type=compression)
    for number in numbers:
        value = json.dumps({"event_id": number}).encode()
        producer.send(topic, value, key=str(number % 50).encode(), **options)
    producer.flush()
    producer.close()


@contextmanager
def joined(**options: Any) -> Iterator[InventoryConsumer]:
    consumer = InventoryConsumer(*here(), **options)
    try:
        yield consumer
    finally:
        consumer.close()


def drained(**options: Any) -> int:
    with joined(**options) as consumer:
        return consume_to_end(consumer)


def lose_head(kafka: Broker, topic: str, before: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    admin.delete_records({TopicPartition(topic, 0): before})
    admin.close()
