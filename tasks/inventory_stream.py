"""Inventory events from Kafka to bronze, each exactly once, whatever dies.

A batch of events and the offsets that follow it are one Delta commit (application transactions, one per
partition). Where to read on is what the lake says, never what Kafka's group says; the group's offsets are
written afterwards, for lag monitors. Two consumers that take the same events, as after a rebalance that one
of them has not noticed, are told apart by Delta: a commit fails if another has moved one of its partitions.
"""

import datetime as dt
import time
from collections.abc import Callable, Collection
from contextlib import suppress

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, OffsetOutOfRangeError
from kafka.structs import OffsetAndMetadata

from blocks.environment import apart
from blocks.failures import DataFailure, PermanentFailure, TransientFailure
from blocks.kafka_client import client_options, kafka_errors, missing_topic
from blocks.settings import Settings
from spark_jobs.lake import Lake

TABLE = "bronze.inventory"
# Grain: one row per Kafka message, well-formed or not.
SCHEMA = pa.schema(
    [
        ("topic", pa.string()),
        ("partition", pa.int32()),
        ("offset", pa.int64()),
        ("key", pa.string()),
        ("raw", pa.string()),
        ("sent_at", pa.timestamp("us", tz="UTC")),
    ]
)
GROUP = "ecommerce-pipeline-inventory"
BATCH_EVENTS = 20_000
# How long a batch waits for more events after its first: so many commits a second at most.
LINGER_SECONDS = 1.0
# A consumer that dies holds its partitions for so long.
SESSION_TIMEOUT_MS = 10_000
POLL_MS = 200
# A drain that sees neither an event nor another consumer's commit for so long will see none.
IDLE_SECONDS = 60


class Intake(ConsumerRebalanceListener):
    """A consumer of the topic whose position is the lake's. Several share the partitions among them."""

    def __init__(self, settings: Settings, is_loss_accepted: bool = False) -> None:
        """Join the group. `is_loss_accepted`: go on where Kafka begins if events in between are gone."""
        if not settings.kafka_bootstrap_servers:
            raise PermanentFailure(
                "KAFKA_BOOTSTRAP_SERVERS is not set: point it at the brokers that carry inventory events"
            )
        self.servers, self.topic = settings.kafka_bootstrap_servers, settings.inventory_topic
        self.is_loss_accepted = is_loss_accepted
        self.table = Lake(settings.lake_uri).ensure(TABLE, SCHEMA)
        self._records: list[ConsumerRecord] = []
        # Where the lake stood when this consumer began to read on from it, per partition.
        self._held: dict[TopicPartition, int | None] = {}
        with kafka_errors(self.servers):
            self._consumer = KafkaConsumer(
                **client_options(settings),
                # Platforms do not take each other's events away.
                group_id=apart(GROUP, "-"),
                enable_auto_commit=False,
                # Without a position from the lake there is none.
                auto_offset_reset="none",
                max_poll_records=BATCH_EVENTS,
                session_timeout_ms=SESSION_TIMEOUT_MS,
                heartbeat_interval_ms=SESSION_TIMEOUT_MS // 3,
                metadata_max_age_ms=30_000,
            )
            partitions = self._consumer.partitions_for_topic(self.topic)
            if not partitions:
                self._consumer.close()
                raise missing_topic(self.topic, self.servers)
            self._consumer.subscribe([self.topic], listener=self)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close(autocommit=False)

    def ends(self) -> dict[TopicPartition, int]:
        """The offset after the last event of every partition, as of now.

        Raises DataFailure if the lake is past one of them: such a topic was made anew.
        """
        # Before Kafka is asked: an end that is asked for later is never behind other consumers' progress.
        self.table.update_incremental()
        with kafka_errors(self.servers):
            numbers = self._consumer.partitions_for_topic(self.topic) or set()
            ends = self._consumer.end_offsets([TopicPartition(self.topic, number) for number in numbers])
            passed = {each: held for each, end in ends.items() if (held := self._progress(each) or 0) > end}
            begins = {partition: self._lost(partition, held) for partition, held in passed.items()}
        if begins:
            # If it fails, another consumer has done it.
            with suppress(CommitFailedError):
                self._write([], begins)
        return ends

    def is_at(self, ends: dict[TopicPartition, int]) -> bool:
        """Whether the lake holds everything before `ends`, whichever consumer brought it there."""
        self.table.update_incremental()
        return all(end == 0 or (self._progress(partition) or 0) >= end for partition, end in ends.items())

    def take(self) -> int:
        """Bring one batch into bronze; returns its events, 0 if there were none or another consumer has them.

        Raises DataFailure if events that the lake has not seen no longer exist, TransientFailure if Kafka
        does not answer.
        """
        with kafka_errors(self.servers):
            records = self._poll()
            return len(records) if self._commit(records) else 0

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Read every partition on from where the lake is; what was polled before may be another's by now."""
        self._seek({*assigned, *self._consumer.assignment()})

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Nothing is lost: what is not committed, the next owner reads again."""
        self._records.clear()

    def _poll(self) -> list[ConsumerRecord]:
        self._records = []
        deadline = time.monotonic() + LINGER_SECONDS
        while len(self._records) < BATCH_EVENTS and time.monotonic() < deadline:
            try:
                polled = self._consumer.poll(POLL_MS, max_records=BATCH_EVENTS - len(self._records))
            except OffsetOutOfRangeError as error:
                for partition, held in error.args[0].items():
                    self._consumer.seek(partition, self._lost(partition, held))
                continue
            for records in polled.values():
                self._records.extend(records)
        return self._records

    def _commit(self, records: list[ConsumerRecord]) -> bool:
        # The consumer's position, not the last record's: it is also past what is no event (the markers of
        # transactions) or no longer there.
        positions = {each: self._consumer.position(each, POLL_MS) for each in self._consumer.assignment()}
        polled = {TopicPartition(record.topic, record.partition) for record in records}
        nexts = {
            each: at
            for each, at in positions.items()
            if at is not None and (each in polled or at != (self._held.get(each) or 0))
        }
        if not nexts and not polled:
            return True
        try:
            has_moved = any(self._progress(each) != self._held.get(each) for each in nexts)
            if has_moved or not polled <= nexts.keys():
                raise CommitFailedError
            self._write(records, nexts)
        except CommitFailedError:
            # Another consumer has brought in some of these events: read on from where the lake is now.
            self._seek(self._consumer.assignment())
            return False
        self._held = self._held | nexts
        # For lag monitors only.
        with suppress(KafkaError):
            self._consumer.commit({each: OffsetAndMetadata(at, "", -1) for each, at in nexts.items()})
        return True

    def _write(self, records: list[ConsumerRecord], nexts: dict[TopicPartition, int]) -> None:
        write_deltalake(
            self.table,
            pa.Table.from_pylist([_row(record) for record in records], schema=SCHEMA),
            mode="append",
            commit_properties=CommitProperties(
                app_transactions=[Transaction(mark(partition), at) for partition, at in nexts.items()]
            ),
        )

    def _seek(self, partitions: Collection[TopicPartition]) -> None:
        # Kafka's client calls this in the thread that reads from the network: nothing here may wait for it.
        self._records.clear()
        self.table.update_incremental()
        for partition in partitions:
            held = self._held[partition] = self._progress(partition)
            if held is None:
                self._consumer.seek_to_beginning(partition)
            else:
                self._consumer.seek(partition, held)

    def _lost(self, partition: TopicPartition, held: int) -> int:
        """Where to go on though events are gone, or the topic was made anew. Raises DataFailure."""
        begin = self._consumer.beginning_offsets([partition])[partition]
        end = self._consumer.end_offsets([partition])[partition]
        if self.is_loss_accepted:
            return begin
        where = f"{partition.topic}-{partition.partition}"
        what = (
            f"offsets {held} to {begin - 1} are gone"
            if held < begin
            else f"it ends at {end}, though the lake holds everything before {held}: the topic was made anew"
        )
        raise DataFailure(
            f"Kafka no longer has events of {where} that the lake has not seen: {what}. Restore them, or "
            "accept the loss with `python -m flows.inventory --accept-loss`"
        )

    def _progress(self, partition: TopicPartition) -> int | None:
        return self.table.transaction_version(mark(partition))


def drain(intake: Intake) -> int:
    """Bring in everything that Kafka holds now; returns the events that this consumer brought.

    Raises TransientFailure if nothing moves for IDLE_SECONDS though the end is not reached, DataFailure if
    events that the lake has not seen no longer exist or the topic was made anew.
    """
    ends, taken = intake.ends(), 0
    idle_until = time.monotonic() + IDLE_SECONDS
    while not intake.is_at(ends):
        version = intake.table.version()
        count = intake.take()
        taken += count
        if count or intake.table.version() != version:
            idle_until = time.monotonic() + IDLE_SECONDS
        elif time.monotonic() > idle_until:
            raise TransientFailure(f"no inventory events came from Kafka for {IDLE_SECONDS} s; try again")
    return taken


def follow(intake: Intake, is_stopped: Callable[[], bool], then: Callable[[], object]) -> int:
    """Bring in events as they come, until `is_stopped` between two batches; returns the events.

    `then` is called after each batch, and now and then without one.
    """
    taken, due = 0, time.monotonic()
    while not is_stopped():
        count = intake.take()
        taken += count
        if count or time.monotonic() >= due:
            then()
            due = time.monotonic() + IDLE_SECONDS
    return taken


def mark(partition: TopicPartition) -> str:
    """The Delta application transaction that holds a partition's next offset."""
    return f"kafka/{partition.topic}/{partition.partition}"


def _row(record: ConsumerRecord) -> dict[str, object]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": _text(record.key),
        "raw": _text(record.value),
        "sent_at": dt.datetime.fromtimestamp(record.timestamp / 1000, dt.UTC),
    }


def _text(value: bytes | None) -> str | None:
    """UTF-8; bytes that are none stay readable as escapes, so that nothing is lost."""
    return None if value is None else value.decode("utf-8", "backslashreplace")
