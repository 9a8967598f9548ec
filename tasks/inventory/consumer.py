"""Inventory events from Kafka to bronze, each exactly once, whichever process dies.

A batch of events and the offsets that follow it are one Delta commit (application transactions, one per
partition). Reading continues at the lake's offsets, never at those of Kafka's group: these are written
afterwards, for lag monitors. If two consumers read the same events, for example after a rebalance that one of
them has not noticed, one commit fails: another consumer has moved one of its partitions.
"""

import datetime as dt
import time
from collections.abc import Callable, Collection
from contextlib import suppress

import pyarrow as pa
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import (
    IllegalStateError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import OffsetAndMetadata

from blocks.kafka_client import consumer_options, kafka_errors, missing_topic, topic_identity
from blocks.settings.environment import namespaced
from blocks.settings.failures import DataFailure, PermanentFailure, TransientFailure
from blocks.settings.settings import Settings
from lake.delta import Lake, commit, progress_of
from tasks.inventory.message import SCHEMA, TABLE, as_row

GROUP = "ecommerce-pipeline-inventory"
BATCH_EVENTS = 20_000
# A batch collects events for so long, which limits the commits per second.
LINGER_SECONDS = 0.5
# A dead consumer keeps its partitions for so long.
SESSION_TIMEOUT_MS = 10_000
POLL_MS = 200
# `consume_to_end` gives up after so long without an event or another consumer's commit.
IDLE_SECONDS = 60


class InventoryConsumer(ConsumerRebalanceListener):
    """A consumer of the topic whose position is the lake's. Several share the partitions among them."""

    def __init__(self, settings: Settings, lake: Lake, is_loss_accepted: bool = False) -> None:
        """Join the group. `is_loss_accepted`: go on where Kafka begins if events in between are gone."""
        if not settings.kafka_bootstrap_servers:
            raise PermanentFailure(
                "KAFKA_BOOTSTRAP_SERVERS is not set: point it at the brokers that carry inventory events"
            )
        self.settings = settings
        self.servers, self.topic = settings.kafka_bootstrap_servers, settings.inventory_topic
        self.is_loss_accepted = is_loss_accepted
        lake.add_columns(TABLE, SCHEMA)
        self.table = lake.ensure(TABLE, SCHEMA)
        # Rebalances come in a thread of Kafka's client, at any moment, and are only counted there: a batch is
        # committed only if none came since its reading began.
        self._rebalances = self._rebalances_seen = 0
        with kafka_errors(self.servers):
            self._consumer = KafkaConsumer(
                **consumer_options(settings),
                # Each platform gets every event.
                group_id=namespaced(GROUP, "-"),
                enable_auto_commit=False,
                # Positions come from the lake only.
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

        Raises DataFailure if the lake's offsets are those of another topic of this name: it was made anew.
        """
        # Before Kafka is asked: an end that is asked for later is never behind other consumers' progress.
        self.table.update_incremental()
        with kafka_errors(self.servers):
            numbers = self._consumer.partitions_for_topic(self.topic) or set()
            ends = self._consumer.end_offsets([TopicPartition(self.topic, number) for number in numbers])
            self._recognise(ends)
        return ends

    def is_at(self, ends: dict[TopicPartition, int]) -> bool:
        """True if the lake holds everything before `ends`, whichever consumer wrote it."""
        self.table.update_incremental()
        return all(end == 0 or (self._progress(partition) or 0) >= end for partition, end in ends.items())

    def consume_batch(self) -> int:
        """Append one batch to bronze; returns its number of events, 0 if another consumer has them.

        Raises DataFailure if events that the lake has not seen no longer exist, TransientFailure if Kafka
        does not answer.
        """
        with kafka_errors(self.servers):
            held = self._seek()
            records = self._poll()
            polled = {TopicPartition(record.topic, record.partition) for record in records}
            nexts = self._nexts(held, polled)
            if self._is_rebalanced() or not polled <= nexts.keys():
                return 0
            return len(records) if not nexts or self._commit(records, nexts) else 0

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Note a rebalance: events read before it may belong to another consumer now."""
        self._rebalances += 1

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Note a rebalance: nothing is lost, the next owner reads uncommitted events again."""
        self._rebalances += 1

    def _is_rebalanced(self) -> bool:
        return self._rebalances != self._rebalances_seen

    def _poll(self) -> list[ConsumerRecord]:
        records: list[ConsumerRecord] = []
        deadline = time.monotonic() + LINGER_SECONDS
        while len(records) < BATCH_EVENTS and time.monotonic() < deadline and not self._is_rebalanced():
            try:
                polled = self._consumer.poll(POLL_MS, max_records=BATCH_EVENTS - len(records))
            except (NoOffsetForPartitionError, OffsetOutOfRangeError) as error:
                # In a partition that has just been assigned, and is not sought yet, either may come.
                if self._is_rebalanced():
                    break
                if isinstance(error, NoOffsetForPartitionError):
                    raise
                for partition, held in error.args[0].items():
                    self._consumer.seek(partition, self._lost(partition, held))
                continue
            for each in polled.values():
                records.extend(each)
        return records

    def _nexts(
        self, held: dict[TopicPartition, int | None], polled: set[TopicPartition]
    ) -> dict[TopicPartition, int]:
        # The consumer's position, not the last record's: it is also past what is no event (the markers of
        # transactions) or no longer there.
        nexts = {}
        for partition, begin in held.items():
            # Taken away meanwhile: a rebalance, which shows.
            with suppress(IllegalStateError):
                at = self._consumer.position(partition, POLL_MS)
                if at is not None and (partition in polled or at != (begin or 0)):
                    nexts[partition] = at
        return nexts

    def _commit(self, records: list[ConsumerRecord], nexts: dict[TopicPartition, int]) -> bool:
        try:
            self._write(records, {mark(each): at for each, at in nexts.items()})
        except CommitFailedError:
            # Another consumer has committed some of these events since this one read the lake's offsets.
            return False
        # For lag monitors only.
        with suppress(KafkaError):
            self._consumer.commit({each: OffsetAndMetadata(at, "", -1) for each, at in nexts.items()})
        return True

    def _write(self, records: list[ConsumerRecord], marks: dict[str, int]) -> None:
        now = dt.datetime.now(dt.UTC)
        write_deltalake(
            self.table,
            pa.Table.from_pylist([as_row(record, now) for record in records], schema=SCHEMA),
            mode="append",
            commit_properties=commit(marks),
        )

    def _seek(self) -> dict[TopicPartition, int | None]:
        # Every batch begins where the lake is, whatever became of the batch before it.
        self._rebalances_seen = self._rebalances
        self.table.update_incremental()
        held = {each: self._progress(each) for each in self._consumer.assignment()}
        for partition, begin in held.items():
            # Taken away meanwhile: a rebalance, which shows.
            with suppress(ValueError):
                if begin is None:
                    self._consumer.seek_to_beginning(partition)
                else:
                    self._consumer.seek(partition, begin)
        return held

    def _recognise(self, ends: dict[TopicPartition, int]) -> None:
        """Note which topic the lake's offsets are of. Raises DataFailure if it was another of this name."""
        topic_mark, identity = f"kafka/{self.topic}", topic_identity(self.settings)
        known = progress_of(self.table, topic_mark)
        is_anew = None not in (identity, known) and identity != known
        held = {partition: at for partition in ends if (at := self._progress(partition))}
        begins = {
            partition: self._lost(partition, at, is_anew)
            for partition, at in held.items()
            if is_anew or at > ends[partition]
        }
        if begins or identity not in (None, known):
            marks = {mark(each): at for each, at in begins.items()}
            # If it fails, another consumer has done it.
            with suppress(CommitFailedError):
                self._write([], marks | ({topic_mark: identity} if identity else {}))

    def _lost(self, partition: TopicPartition, held: int, is_anew: bool = False) -> int:
        """The offset to go on at though events are gone, or the topic was made anew. Raises DataFailure."""
        begin = self._consumer.beginning_offsets([partition])[partition]
        end = self._consumer.end_offsets([partition])[partition]
        if self.is_loss_accepted:
            return begin
        where = f"{partition.topic}-{partition.partition}"
        what = (
            f"offsets {held} to {begin - 1} are gone"
            if held < begin and not is_anew
            else f"it ends at {end}, and the lake holds all before {held}: the topic was made anew"
        )
        raise DataFailure(
            f"Kafka no longer has events of {where} that the lake has not seen: {what}. Restore them, or "
            "accept the loss with `python -m flows.inventory --accept-loss`"
        )

    def _progress(self, partition: TopicPartition) -> int | None:
        return progress_of(self.table, mark(partition))


def consume_to_end(consumer: InventoryConsumer) -> int:
    """Consume everything that Kafka holds now; returns the number of events that this consumer read.

    Raises TransientFailure if nothing moves for IDLE_SECONDS though the end is not reached, DataFailure if
    events that the lake has not seen no longer exist or the topic was made anew.
    """
    ends, consumed = consumer.ends(), 0
    idle_until = time.monotonic() + IDLE_SECONDS
    while not consumer.is_at(ends):
        version = consumer.table.version()
        count = consumer.consume_batch()
        consumed += count
        if count or consumer.table.version() != version:
            idle_until = time.monotonic() + IDLE_SECONDS
        elif time.monotonic() > idle_until:
            raise TransientFailure(f"no inventory events came from Kafka for {IDLE_SECONDS} s; try again")
    return consumed


def consume_until(
    consumer: InventoryConsumer, is_stopped: Callable[[], bool], then: Callable[[], object]
) -> int:
    """Consume events as they come, until `is_stopped` between two batches; returns the number of events.

    `then` is called after each batch, and every IDLE_SECONDS without one.
    """
    consumed, due = 0, time.monotonic()
    while not is_stopped():
        count = consumer.consume_batch()
        consumed += count
        if count or time.monotonic() >= due:
            then()
            due = time.monotonic() + IDLE_SECONDS
    return consumed


def mark(partition: TopicPartition) -> str:
    """The Delta application transaction that holds a partition's next offset."""
    return f"kafka/{partition.topic}/{partition.partition}"
