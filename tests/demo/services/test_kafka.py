"""The demo's Kafka broker: one address as long as it lives, and what it held when it comes back."""

import shutil
from pathlib import Path

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from demo.services import kafka as demo_kafka
from demo.services.kafka import KafkaUnavailable, remove, start, stop
from tests.support.platforms import Broker


def held(address: str, topic: str) -> int:
    consumer = KafkaConsumer(bootstrap_servers=address)
    partition = TopicPartition(topic, 0)
    end = consumer.end_offsets([partition])[partition]
    consumer.close()
    return end


def test_it_keeps_its_address_and_its_events(kafka: Broker) -> None:
    topic = kafka.make_topic(partitions=1)
    producer = KafkaProducer(bootstrap_servers=kafka.address, acks="all")
    producer.send(topic, b"1")
    producer.flush()
    producer.close()
    assert start(kafka.directory) == kafka.address

    stop(kafka.directory)
    stop(kafka.directory)
    assert start(kafka.directory) == kafka.address
    assert held(kafka.address, topic) == 1

    stop(kafka.directory, is_violent=True)
    assert start(kafka.directory) == kafka.address
    assert held(kafka.address, topic) == 1


def test_removing_what_never_was_does_nothing(tmp_path: Path) -> None:
    remove(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_without_java_or_maven_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(KafkaUnavailable, match="no java here: install Java 17 and Maven, or set KAFKA_BOOT"):
        start(tmp_path)


def test_a_broker_that_ends_at_once_shows_the_end_of_its_log(
    kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_kafka, "PROPERTIES", demo_kafka.PROPERTIES + "num.io.threads=none\n")
    with pytest.raises(KafkaUnavailable, match="num.io.threads"):
        start(tmp_path)
