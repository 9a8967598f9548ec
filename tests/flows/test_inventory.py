"""The inventory flow on a real Kafka: from events to levels, messages and marts, once and then as they come."""

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from kafka import KafkaProducer

from blocks.settings.environment import REPOSITORY
from flows.daily import daily_ecommerce_pipeline
from flows.inventory import inventory
from tests.support.platforms import Broker, Platform
from tests.support.receivers import Webhook
from tests.support.rows import DAY, click, customer, order, product, put, write_clicks
from tests.support.silver_tables import Silver

pytestmark = pytest.mark.usefixtures("prefect_server")
RED, ORANGE, GREEN = "#d72b3f", "#f2952f", "#2eb67d"


class Warehouses:
    """The shop's warehouses: what they report of their stock."""

    def __init__(self, address: str, topic: str) -> None:
        self.topic, self.number = topic, 0
        self.producer = KafkaProducer(bootstrap_servers=address)

    def report(self, product_id: int, on_hand: int, change: int = 0, **values: Any) -> None:
        self.number += 1
        event = {
            "event_id": f"e{self.number}",
            "product_id": product_id,
            "warehouse_id": "north",
            "quantity_change": change,
            "on_hand": on_hand,
            "event_time": (
                dt.datetime(2024, 3, 4, 9, tzinfo=dt.UTC) + dt.timedelta(minutes=self.number)
            ).isoformat(),
        } | values
        self.send(json.dumps(event).encode())

    def send(self, raw: bytes) -> None:
        self.producer.send(self.topic, raw, partition=0).get(timeout=30)


@pytest.fixture
def warehouses(
    kafka: Broker, platform: Platform, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Warehouses]:
    """The shop's warehouses, on a topic of their own, and Slack."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    monkeypatch.setenv("INVENTORY_TOPIC", kafka.make_topic(partitions=1))
    monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{webhook.url}/slack")
    made = Warehouses(kafka.address, os.environ["INVENTORY_TOPIC"])
    yield made
    made.producer.close()


@pytest.fixture
def sales(platform: Platform) -> None:
    """The lake knows that product 1 sells 10 a day and product 2 one."""
    silver = Silver(platform)
    silver.append("silver.products", product(1), product(2))
    silver.append("silver.orders", order(1, product_id=1, quantity=10), order(2, product_id=2, quantity=1))


def said(webhook: Webhook) -> list[tuple[str, str]]:
    """(colour, title) of the messages, in their order."""
    attachments = [request.body["attachments"][0] for request in webhook.requests]
    return [(each["color"], each["blocks"][0]["text"]["text"]) for each in attachments]


def query(platform: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


STATUS = "select product_id, on_hand, reorder_point, state from gold.inventory_status order by product_id"


def test_a_stock_out_is_one_message_and_a_row_of_the_mart(
    warehouses: Warehouses, platform: Platform, webhook: Webhook
) -> None:
    put(platform, "customers", customer(1))
    put(platform, "products", product(1), product(2))
    put(platform, "orders", order(1, product_id=1, quantity=10), order(2, product_id=2, quantity=1))
    write_clicks(platform.clickstream, DAY, [click("c1")])
    daily_ecommerce_pipeline(DAY)
    webhook.requests.clear()

    warehouses.report(1, on_hand=99)
    warehouses.report(2, on_hand=10)
    warehouses.send(b"no event")
    inventory()
    (color, title), (note_color, note_title) = said(webhook)
    assert (color, title) == (ORANGE, "*Product 1 (1): low in stock*")
    assert (note_color, "completed with warnings" in note_title) == (ORANGE, True)
    note = webhook.requests[1].body["attachments"][0]["blocks"][1]["text"]["text"]
    assert "1 of 3 messages were rejected (line_is_event 1)" in note
    facts = webhook.requests[0].body["attachments"][0]["blocks"][1]["text"]["text"]
    assert (
        facts
        == "*Product 1 (1)*  99 left, enough for 9.9 days; sells 10.0 a day, order below 100; order 71 now"
    )
    assert query(platform, STATUS) == [(1, 99, 100, "low"), (2, 10, 10, "ok")]

    # Nothing new, no alert; then both run out, and one of them is filled up again.
    inventory()
    assert len(webhook.requests) == 2
    warehouses.report(1, on_hand=0, change=-99)
    warehouses.report(2, on_hand=0, change=-10)
    inventory()
    assert said(webhook)[2:] == [(RED, "*products: 2 out of stock*")]
    warehouses.report(2, on_hand=50, change=50)
    inventory()
    assert said(webhook)[3:] == [(GREEN, "*Product 2 (2): no longer short*")]
    assert query(platform, STATUS) == [(1, 0, 100, "out"), (2, 50, 10, "ok")]
    assert query(
        platform, "select closing_on_hand, received_quantity from gold.fct_inventory_daily order by all"
    ) == [
        (0, 0),
        (50, 50),
    ]
    runs = query(
        platform,
        "select status, rows_in, rows_out, rows_quarantined from ops.pipeline_runs where flow = 'inventory' "
        "order by started_at",
    )
    assert runs == [
        ("completed", 3, 2, 1),
        ("completed", 0, 0, 0),
        ("completed", 2, 2, 0),
        ("completed", 1, 1, 0),
    ]
    assert query(platform, "select reason, raw from quarantine.open_rows where source = 'inventory'") == [
        ("line_is_event", "no event")
    ]


@pytest.mark.usefixtures("sales")
def test_what_slack_did_not_take_is_sent_by_the_next_run(
    warehouses: Warehouses, platform: Platform, webhook: Webhook
) -> None:
    webhook.answers += [404]
    warehouses.report(1, on_hand=0)
    inventory()
    inventory()
    inventory()
    assert said(webhook) == [(RED, "*Product 1 (1): out of stock*")] * 2


@pytest.mark.usefixtures("sales")
def test_a_gap_is_reported_with_the_run(warehouses: Warehouses, webhook: Webhook) -> None:
    warehouses.report(2, on_hand=50)
    warehouses.report(2, on_hand=30, change=-1)
    inventory()
    [(color, title)] = said(webhook)
    assert (color, "completed with warnings" in title) == (ORANGE, True)
    facts = webhook.requests[0].body["attachments"][0]["blocks"][1]["text"]["text"]
    assert "1 gaps in the levels" in facts
    assert "product 2 in north at 2024-03-04 09:02:00: 49 expected, 30 reported" in facts


@pytest.mark.usefixtures("sales")
def test_following_alerts_within_seconds_and_stops_on_sigterm_with_everything_consumed(
    warehouses: Warehouses, platform: Platform, webhook: Webhook
) -> None:
    warehouses.report(1, on_hand=500)
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.inventory", "--follow-minutes", "10"],
        cwd=REPOSITORY,
        env={**os.environ, "PREFECT_API_URL": ""},
    )
    try:
        wait_until(lambda: platform.lake.table("ops.stock_alerts") is not None)
        for on_hand in range(499, -1, -1):
            warehouses.report(1, on_hand=on_hand, change=-1)
        wait_until(lambda: (RED, "*Product 1 (1): out of stock*") in said(webhook))
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
    [(status, rows_in)] = query(
        platform, "select status, rows_in from ops.pipeline_runs where flow = 'inventory'"
    )
    assert (status, rows_in) == ("completed", 501)


def wait_until(is_so: Any, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)
