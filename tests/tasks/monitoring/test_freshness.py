"""Freshness of the lake and its lag behind Kafka, against tables and a broker that are known."""

import datetime as dt
from typing import Any

import pytest

from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.settings import Settings
from tasks.monitoring.freshness import consumer_lag, newest_data
from tests.support.platforms import Broker, Platform, here
from tests.support.prometheus_servers import value
from tests.support.rows import DAY, NEXT_DAY, at, order
from tests.support.silver_tables import Silver, event
from tests.support.stock_events import drained, lose_head, produce

LATER = at(DAY + dt.timedelta(days=400))
YESTERDAY = at(DAY - dt.timedelta(days=1))


def test_an_empty_lake_has_no_data(platform: Platform) -> None:
    assert newest_data(platform.lake, LATER) == {}


def test_the_newest_row_of_each_table(silver: Silver) -> None:
    silver.append("silver.orders", order(3, updated_at=at(NEXT_DAY)), order(4))
    assert newest_data(silver.lake, LATER) == {
        "orders": at(NEXT_DAY),
        "customers": YESTERDAY,
        "products": YESTERDAY,
        "clickstream": at(DAY),
    }


def test_a_file_with_a_row_from_the_future_does_not_count(silver: Silver) -> None:
    silver.append("silver.clickstream", event("c") | {"event_at": at(NEXT_DAY)})
    assert newest_data(silver.lake, at(DAY, 23))["clickstream"] == at(DAY)


@pytest.fixture
def topic(kafka: Broker, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> str:
    name = kafka.make_topic(partitions=2)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    monkeypatch.setenv("INVENTORY_TOPIC", name)
    return name


def test_the_lag_is_what_the_lake_lacks(kafka: Broker, topic: str, platform: Platform) -> None:
    assert consumer_lag(Settings(), platform.lake) == {0: 0, 1: 0}
    produce(kafka, topic, range(10), partition=0)
    produce(kafka, topic, range(5), partition=1)
    assert consumer_lag(Settings(), platform.lake) == {0: 10, 1: 5}
    drained()
    produce(kafka, topic, range(3), partition=1)
    assert consumer_lag(Settings(), platform.lake) == {0: 0, 1: 3}


def test_events_that_are_gone_are_no_lag(kafka: Broker, topic: str, platform: Platform) -> None:
    produce(kafka, topic, range(10), partition=0)
    lose_head(kafka, topic, 4)
    assert consumer_lag(Settings(), platform.lake) == {0: 6, 1: 0}


def test_a_recorded_lag_is_exported(kafka: Broker, topic: str, platform: Platform, pushgateway: str) -> None:

    from tasks.monitoring.metrics import push_metrics
    from tests.support.alerts import ended

    produce(kafka, topic, range(7), partition=1)
    push_metrics(ended("completed"), *here())
    labels: dict[str, Any] = {"topic": topic, "partition": "1"}
    assert value(pushgateway, "ecommerce_consumer_lag_events", **labels) == 7


def test_a_kafka_that_is_not_there_or_has_no_topic(
    kafka: Broker, topic: str, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVENTORY_TOPIC", "gone")
    with pytest.raises(PermanentFailure, match="no topic 'gone'"):
        consumer_lag(Settings(), platform.lake)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    with pytest.raises(TransientFailure, match="no Kafka broker answers at 127.0.0.1:1"):
        consumer_lag(Settings(), platform.lake)
