"""Freshness of the lake: its newest data, and its lag behind Kafka. Only reads, and needs no Prefect."""

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc
from kafka import KafkaConsumer, TopicPartition

from blocks.kafka_client import consumer_options, kafka_errors, missing_topic
from blocks.settings.settings import EnvironmentSettings
from lake.catalog import catalog
from lake.delta import Lake, progress_of
from tasks.inventory.consumer import mark
from tasks.inventory.message import TABLE

# Short: the lag is one of several readings.
KAFKA_TIMEOUTS_MS = {"bootstrap_timeout_ms": 1_000, "request_timeout_ms": 5_000}


def newest_data(lake: Lake, now: dt.datetime) -> dict[str, dt.datetime]:
    """The time at which the newest row of each silver table became true; tables without rows are left out.

    From the statistics in the Delta log: no data are read. A file that holds a row from after `now` (a
    visitor's wrong clock) does not count.
    """
    newest = {}
    for name, source in catalog().items():
        table, column = lake.table(f"silver.{name}"), source.cursor
        files = pa.table(table.get_add_actions(flatten=True)) if table else pa.table({})
        if f"max.{column}" in files.column_names:
            ends = files[f"max.{column}"].cast(pa.timestamp("us", tz="UTC"))
            latest = pc.max(ends.filter(pc.less_equal(ends, pa.scalar(now)))).as_py()
            if latest:
                newest[name] = latest
    return newest


def consumer_lag(settings: EnvironmentSettings, lake: Lake) -> dict[int, int]:
    """Events that Kafka holds and bronze does not, per partition of the inventory topic.

    Counted from the offsets in the lake, at which the consumer continues. Raises PermanentFailure if there is
    no such topic or Kafka refuses the login, TransientFailure if it does not answer.
    """
    servers, topic = settings.kafka_bootstrap_servers, settings.inventory_topic
    bronze = lake.table(TABLE)
    with kafka_errors(servers):
        consumer = KafkaConsumer(**consumer_options(settings) | KAFKA_TIMEOUTS_MS)
        try:
            partitions = [TopicPartition(topic, n) for n in consumer.partitions_for_topic(topic) or ()]
            begins, ends = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        finally:
            consumer.close(autocommit=False)
    if not partitions:
        raise missing_topic(topic, servers)
    held = {each: progress_of(bronze, mark(each)) if bronze else None for each in partitions}
    return {
        each.partition: ends[each] - _next(held[each], begins[each], ends[each])
        for each in sorted(partitions)
    }


def _next(held: int | None, begin: int, end: int) -> int:
    # Past the end, the lake's offset is that of a topic that was made anew: all of this one is missing.
    return begin if held is None or held > end else max(held, begin)
