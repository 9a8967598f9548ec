"""Inventory events from a real Kafka to bronze: all of them, once, and losses reported."""

import json
import threading
import time
from collections import Counter
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata

from blocks.kafka_cluster import KafkaCluster
from blocks.settings.failures import DataFailure, PermanentFailure, TransientFailure
from blocks.settings.settings import Settings
from tasks.inventory import consumer as inventory_stream
from tasks.inventory.consumer import GROUP, InventoryConsumer, consume_to_end, consume_until
from tasks.inventory.message import TABLE
from tasks.monitoring.freshness import consumer_lag
from tests.support.platforms import Broker, Platform, here
from tests.support.stock_events import drained, joined, lose_head, produce


@pytest.fixture
def topic(kafka: Broker, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> str:
    """A topic of three partitions that `Settings()` names."""
    name = kafka.make_topic()
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    monkeypatch.setenv("INVENTORY_TOPIC", name)
    return name


def bronze(platform: Platform) -> list[dict[str, Any]]:
    table = platform.lake.table(TABLE)
    return table.to_pyarrow_table().to_pylist() if table else []


def numbers(platform: Platform) -> Counter[int]:
    return Counter(json.loads(row["raw"])["event_id"] for row in bronze(platform))


def once(count: int) -> Counter[int]:
    return Counter(range(count))


def test_a_drain_brings_every_event_once_with_its_coordinates(
    kafka: Broker, topic: str, platform: Platform
) -> None:
    produce(kafka, topic, range(1000))
    assert drained() == 1000
    assert numbers(platform) == once(1000)
    rows = bronze(platform)
    assert len({(row["topic"], row["partition"], row["offset"]) for row in rows}) == 1000
    assert {row["topic"] for row in rows} == {topic}
    assert {row["key"] for row in rows} == {str(number) for number in range(50)}
    assert drained() == 0
    assert numbers(platform) == once(1000)


@pytest.mark.parametrize("compression", ["gzip", "snappy", "lz4", "zstd"])
def test_a_topic_may_be_compressed(kafka: Broker, topic: str, platform: Platform, compression: str) -> None:
    produce(kafka, topic, range(100), compression)
    assert drained() == 100
    assert numbers(platform) == once(100)


def test_a_message_whose_clock_counts_microseconds_stops_nothing(
    kafka: Broker, topic: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Kafka 4 refuses such a message unless it is told not to; older brokers take it.
    topic = kafka.make_topic(**{"message.timestamp.after.max.ms": str(2**63 - 1)})
    monkeypatch.setenv("INVENTORY_TOPIC", topic)
    produce(kafka, topic, range(1), timestamp_ms=time.time_ns() // 1000)
    produce(kafka, topic, range(1, 3))
    assert drained() == 3
    assert [row["sent_at"] for row in bronze(platform) if "0" in row["raw"]] == [None]
    assert numbers(platform) == once(3)


def test_an_empty_topic_is_drained_at_once(topic: str, platform: Platform) -> None:
    assert drained() == 0
    assert bronze(platform) == []


def test_a_drain_stops_at_the_end_that_it_saw(kafka: Broker, topic: str, platform: Platform) -> None:
    produce(kafka, topic, range(10))
    with joined() as consumer:
        ends = consumer.ends()
        produce(kafka, topic, range(10, 20))
        assert sum(ends.values()) == 10
        assert consume_to_end(consumer) == 20


def test_the_position_is_the_lakes_and_not_the_groups(kafka: Broker, topic: str, platform: Platform) -> None:
    produce(kafka, topic, range(100))
    assert drained() == 100
    consumer = KafkaConsumer(bootstrap_servers=kafka.address, group_id=GROUP)
    committed = {number: consumer.committed(TopicPartition(topic, number)) for number in range(3)}
    ends = consumer.end_offsets([TopicPartition(topic, number) for number in range(3)])
    consumer.close()
    assert committed == {partition.partition: end for partition, end in ends.items()}

    produce(kafka, topic, range(100, 110))
    consumer = KafkaConsumer(bootstrap_servers=kafka.address, group_id=GROUP)
    consumer.commit({partition: OffsetAndMetadata(end + 3, "", -1) for partition, end in ends.items()})
    consumer.close()
    assert drained() == 10
    assert numbers(platform) == once(110)


def test_what_is_no_text_or_nothing_at_all_is_kept(kafka: Broker, topic: str, platform: Platform) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.address)
    for value in (b"\xff\xfe", b"", None, "{\u00e9}".encode()):
        producer.send(topic, value, key=b"\xff", partition=0)
    producer.flush()
    producer.close()
    assert drained() == 4
    rows = sorted(bronze(platform), key=lambda row: row["offset"])
    assert [(row["key"], row["raw"]) for row in rows] == [
        ("\\xff", "\\xff\\xfe"),
        ("\\xff", ""),
        ("\\xff", None),
        ("\\xff", "{é}"),
    ]


@pytest.mark.parametrize("place", ["poll", "_nexts", "_write"])
def test_a_rebalance_at_any_moment_costs_no_event_and_doubles_none(
    kafka: Broker, topic: str, platform: Platform, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Kafka's client reports it in a thread of its own, while the batch is read, compared or committed."""
    produce(kafka, topic, range(300))
    with joined() as consumer:
        holder = consumer._consumer if place == "poll" else consumer
        original, rebalances = getattr(holder, place), iter(range(5))

        def rebalanced(*arguments: Any, **options: Any) -> Any:
            if is_coming := next(rebalances, None) is not None:
                consumer.on_partitions_revoked(set())
            result = original(*arguments, **options)
            if is_coming:
                consumer.on_partitions_assigned(set())
            return result

        monkeypatch.setattr(holder, place, rebalanced)
        consume_to_end(consumer)
    assert next(rebalances, 5) > 0
    assert numbers(platform) == once(300)


def test_a_batch_that_another_consumer_has_brought_in_is_not_brought_twice(
    kafka: Broker, topic: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slow consumer has polled its batch when, unnoticed, another takes over and commits the same events."""
    produce(kafka, topic, range(300))
    with joined() as slow:
        poll, brought = slow._poll, []

        def overtaken() -> list[ConsumerRecord]:
            records = poll()
            if records and not brought:
                ends = Counter(TopicPartition(topic, record.partition) for record in records)
                rival = InventoryConsumer.__new__(InventoryConsumer)
                rival.__dict__.update(slow.__dict__, table=platform.lake.table(TABLE))
                brought.append(rival._commit(records, ends))
            return records

        monkeypatch.setattr(slow, "_poll", overtaken)
        while not brought:
            assert slow.consume_batch() == 0
        assert brought == [True]
        consume_to_end(slow)
        assert numbers(platform) == once(300)
        produce(kafka, topic, range(300, 400))
        assert consume_to_end(slow) == 100
    assert numbers(platform) == once(400)


def test_consumers_share_the_partitions_and_a_new_partition_is_found(
    kafka: Broker, topic: str, platform: Platform
) -> None:
    done, taken = threading.Event(), []

    def work() -> None:
        with joined() as consumer:
            taken.append(consume_until(consumer, done.is_set, lambda: None))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    produce(kafka, topic, range(2000))
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    admin.create_partitions({topic: NewPartitions(4)})
    admin.close()
    produce(kafka, topic, range(2000, 2100), partition=3)
    with joined() as third:
        consume_to_end(third)
    done.set()
    for worker in workers:
        worker.join(60)
    assert numbers(platform) == once(2100)
    assert len(taken) == 2


def test_events_that_are_gone_before_they_were_read_are_reported_with_their_range(
    kafka: Broker, topic: str, platform: Platform
) -> None:
    produce(kafka, topic, range(10), partition=0)
    assert drained() == 10
    produce(kafka, topic, range(10, 30), partition=0)
    lose_head(kafka, topic, 15)
    with pytest.raises(DataFailure, match=f"{topic}-0.*offsets 10 to 14 are gone.*--accept-loss"):
        drained()
    assert numbers(platform) == once(10)

    assert drained(is_loss_accepted=True) == 15
    assert sorted(numbers(platform)) == [*range(10), *range(15, 30)]
    assert drained() == 0


def test_what_was_gone_before_the_first_run_is_no_loss_of_ours(
    kafka: Broker, topic: str, platform: Platform
) -> None:
    produce(kafka, topic, range(10), partition=0)
    lose_head(kafka, topic, 4)
    assert drained() == 6


def make_anew(kafka: Broker, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka.address)
    admin.delete_topics([topic])
    for _ in range(100):
        try:
            admin.create_topics([NewTopic(topic, 3, 1)])
            break
        except TopicAlreadyExistsError:
            time.sleep(0.1)
    admin.close()


@pytest.mark.parametrize("count", [5, 20, 30], ids=["fewer events", "as many events", "more events"])
def test_a_topic_that_was_made_anew_is_reported_and_its_events_are_not_lost(
    kafka: Broker, topic: str, platform: Platform, count: int
) -> None:
    produce(kafka, topic, range(20), partition=0)
    assert drained() == 20
    assert drained() == 0
    make_anew(kafka, topic)
    produce(kafka, topic, range(20, 20 + count), partition=0)
    with pytest.raises(
        DataFailure, match=f"{topic}-0.*it ends at {count}.*before 20.*made anew.*--accept-loss"
    ):
        drained()
    assert numbers(platform) == once(20)

    assert drained(is_loss_accepted=True) == count
    assert numbers(platform) == once(20 + count)
    assert drained() == 0


def test_the_lag_of_a_topic_that_was_made_anew_is_all_of_it(
    kafka: Broker, topic: str, platform: Platform
) -> None:
    produce(kafka, topic, range(20), partition=0)
    assert drained() == 20
    make_anew(kafka, topic)
    produce(kafka, topic, range(20, 25), partition=0)
    assert consumer_lag(Settings(), platform.lake) == {0: 5, 1: 0, 2: 0}


def test_a_broker_that_does_not_say_which_topic_it_is(
    kafka: Broker, topic: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KafkaAdminClient, "describe_topics", lambda *_: [{"name": topic}])
    produce(kafka, topic, range(20), partition=0)
    assert drained() == 20
    make_anew(kafka, topic)
    produce(kafka, topic, range(20, 25), partition=0)
    with pytest.raises(DataFailure, match="made anew"):
        drained()


def test_a_first_run_finds_everything_expired(kafka: Broker, topic: str, platform: Platform) -> None:
    produce(kafka, topic, range(10), partition=0)
    lose_head(kafka, topic, 10)
    assert drained() == 0
    produce(kafka, topic, range(10, 12), partition=0)
    assert drained() == 2


def test_an_accepted_loss_after_which_nothing_came_is_not_reported_again(
    kafka: Broker, topic: str, platform: Platform
) -> None:
    produce(kafka, topic, range(10), partition=0)
    assert drained() == 10
    produce(kafka, topic, range(10, 30), partition=0)
    lose_head(kafka, topic, 30)
    with pytest.raises(DataFailure, match="offsets 10 to 29 are gone"):
        drained()
    assert drained(is_loss_accepted=True) == 0
    assert drained() == 0
    assert consumer_lag(Settings(), platform.lake) == {0: 0, 1: 0, 2: 0}


def test_events_of_a_transaction_count_when_it_is_committed_and_never_when_it_is_aborted(
    kafka: Broker, topic: str, platform: Platform
) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.address, transactional_id=topic)
    producer.init_transactions()

    def begin(numbers: range) -> None:
        producer.begin_transaction()
        for number in numbers:
            producer.send(topic, json.dumps({"event_id": number}).encode(), partition=0)
        producer.flush()

    begin(range(10))
    producer.commit_transaction()
    assert drained() == 10

    begin(range(900, 905))
    assert drained() == 0
    assert consumer_lag(Settings(), platform.lake) == {0: 0, 1: 0, 2: 0}
    producer.abort_transaction()
    assert drained() == 0

    begin(range(10, 15))
    assert drained() == 0
    producer.commit_transaction()
    producer.close()
    assert drained() == 5
    assert numbers(platform) == once(15)
    # The log ends in the marker of a transaction, which is no event.
    assert drained() == 0
    assert consumer_lag(Settings(), platform.lake) == {0: 0, 1: 0, 2: 0}


@pytest.mark.parametrize(
    ("variable", "value", "failure", "words"),
    [
        ("KAFKA_BOOTSTRAP_SERVERS", "", PermanentFailure, "KAFKA_BOOTSTRAP_SERVERS is not set"),
        (
            "KAFKA_BOOTSTRAP_SERVERS",
            "127.0.0.1:1",
            TransientFailure,
            "no Kafka broker answers at 127.0.0.1:1",
        ),
        ("INVENTORY_TOPIC", "no-such-topic", PermanentFailure, "has no topic 'no-such-topic'"),
    ],
)
def test_a_kafka_that_is_not_there_is_named(
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    failure: type[Exception],
    words: str,
) -> None:
    monkeypatch.setattr("blocks.kafka_client.BOOTSTRAP_TIMEOUT_MS", 2000)
    monkeypatch.setenv(variable, value)
    with pytest.raises(failure, match=words):
        InventoryConsumer(*here())


def test_a_drain_that_sees_nothing_gives_up(
    kafka: Broker, topic: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another member of the group, dead or stuck, holds the partitions."""
    produce(kafka, topic, range(10))
    monkeypatch.setattr(inventory_stream, "IDLE_SECONDS", 1)
    monkeypatch.setattr(InventoryConsumer, "consume_batch", lambda self: 0)
    with pytest.raises(TransientFailure, match="for 1 s"):
        drained()


def test_the_blocks_check_finds_the_topic_or_says_that_it_is_missing(kafka: Broker, topic: str) -> None:
    KafkaCluster(kafka_bootstrap_servers=kafka.address, inventory_topic=topic).check()
    with pytest.raises(PermanentFailure, match="no topic 'gone'"):
        KafkaCluster(kafka_bootstrap_servers=kafka.address, inventory_topic="gone").check()
