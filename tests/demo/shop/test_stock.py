"""The demo's warehouses: levels that follow from the events, and each event brought to Kafka."""

import json
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from kafka import KafkaConsumer, TopicPartition

from demo.shop.shop import Shop
from tests.support.platforms import Broker
from tests.support.weekend import FRIDAY, SATURDAY, SUNDAY, query

EVENTS = "SELECT event FROM demo.stock_events ORDER BY number"


def played(dsn: str, folder: Path) -> Shop:
    shop = Shop(dsn, folder, scale=0.3)
    shop.open(FRIDAY)
    for day in (FRIDAY, SATURDAY, SUNDAY):
        shop.play(day)
    return shop


@pytest.fixture(scope="module")
def shop(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return played(new_database(), tmp_path_factory.mktemp("stock"))


def test_levels_follow_from_the_events_and_end_where_the_shelves_do(shop: Shop) -> None:
    histories: dict[tuple, list[dict]] = defaultdict(list)
    seen = set()
    for (event,) in query(shop.dsn, EVENTS):
        if event.get("event_id") not in seen and event.get("product_id", 10**9) < 10**9:
            seen.add(event["event_id"])
            histories[event["product_id"], event["warehouse_id"]].append(event)
    assert len(histories) > 30
    for history in histories.values():
        level = 0
        times = [event["event_time"] for event in history]
        assert times == sorted(times)
        for event in history:
            level += event["quantity_change"]
            assert event["on_hand"] == level >= 0
    ends = {key: history[-1]["on_hand"] for key, history in histories.items()}
    assert ends == {(row[0], row[1]): row[2] for row in query(shop.dsn, "SELECT * FROM demo.stock")}


def test_something_sells_out_and_something_is_delivered(shop: Shop) -> None:
    out = query(shop.dsn, "SELECT product_id FROM demo.stock GROUP BY 1 HAVING sum(on_hand) = 0")
    assert 1 <= len(out) <= 8
    changes = [event.get("quantity_change", 0) for (event,) in query(shop.dsn, EVENTS)]
    assert min(changes) < 0 < max(changes)


def test_the_same_days_make_the_same_events(
    shop: Shop, new_database: Callable[[], str], tmp_path: Path
) -> None:
    again = played(new_database(), tmp_path)
    assert query(again.dsn, EVENTS) == query(shop.dsn, EVENTS)


def test_every_event_is_brought_to_kafka_once_and_keyed_by_product(
    kafka: Broker, new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    monkeypatch.setenv("INVENTORY_TOPIC", f"demo-{tmp_path.name}")
    shop = played(new_database(), tmp_path)
    waiting = [event for (event,) in query(shop.dsn, EVENTS)]
    assert shop.publish_stock() == len(waiting) > 100
    assert shop.publish_stock() == 0
    partitions = [TopicPartition(f"demo-{tmp_path.name}", number) for number in range(3)]
    with closing(KafkaConsumer(bootstrap_servers=kafka.address, auto_offset_reset="earliest")) as consumer:
        consumer.assign(partitions)
        records = []
        while len(records) < len(waiting):
            for batch in consumer.poll(5000).values():
                records += batch
    assert sorted(record.value for record in records) == sorted(json.dumps(e).encode() for e in waiting)
    homes = defaultdict(set)
    for record in records:
        homes[record.key].add(record.partition)
    assert {len(home) for home in homes.values()} == {1}


def test_what_kafka_did_not_take_waits(
    new_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
    monkeypatch.setattr("blocks.kafka_client.BOOTSTRAP_TIMEOUT_MS", 300)
    shop = played(new_database(), tmp_path)
    waiting = query(shop.dsn, EVENTS)
    with pytest.raises(Exception, match="127.0.0.1"):
        shop.publish_stock()
    assert query(shop.dsn, EVENTS) == waiting


def test_a_shop_from_before_there_were_warehouses_gets_them(
    new_database: Callable[[], str], tmp_path: Path
) -> None:
    shop = Shop(new_database(), tmp_path, scale=0.1)
    shop.open(FRIDAY)
    shop.play(FRIDAY)
    with closing(psycopg2.connect(shop.dsn)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE demo.stock, demo.stock_events")
    shop.play(SATURDAY)
    assert query(shop.dsn, "SELECT count(*) > 30 FROM demo.stock") == [(True,)]
