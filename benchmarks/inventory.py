"""Measure the inventory flow: `python -m benchmarks.inventory --rate 5000 --seconds 60`.

A real Kafka, real processes, a webhook in Slack's place. First a backlog is drained, as every hour. Then events
come at a steady rate while a run follows them, and every second a product of its own sells out: how long from
its event's send to the webhook's receipt?
"""

import argparse
import datetime as dt
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import NewTopic
from rich.console import Console
from rich.table import Table

from blocks.settings.environment import REPOSITORY
from demo.services import kafka
from lake.delta import Lake

RESULT = Path(__file__).with_name("results") / "inventory.json"
PRODUCTS, WAREHOUSES, PARTITIONS = 1000, 3, 3
# The probes' numbers are above the others'.
READY_PROBE, FIRST_PROBE = 100_000, 100_001
READY_SECONDS, LAST_ALERT_SECONDS = 120, 60


class Shop:
    """Sends stock events, and knows when each probe was sent and heard of."""

    def __init__(self, servers: str, topic: str) -> None:
        self.topic, self.number = topic, 0
        self.sent: dict[int, float] = {}
        self.heard: dict[int, float] = {}
        self.producer = KafkaProducer(bootstrap_servers=servers, linger_ms=5, acks="all")

    def send(self, product_id: int, on_hand: int) -> None:
        """One event; a level of 0 makes the product a probe."""
        self.number += 1
        event = {
            "event_id": f"e{self.number}",
            "product_id": product_id,
            "warehouse_id": f"w{self.number % WAREHOUSES}" if product_id < READY_PROBE else "w0",
            "quantity_change": 0,
            "on_hand": on_hand,
            "event_time": dt.datetime.now(dt.UTC).isoformat(),
        }
        if not on_hand:
            self.sent[product_id] = time.monotonic()
        self.producer.send(self.topic, json.dumps(event).encode(), key=str(product_id).encode())

    def hear(self, text: str) -> None:
        """A message has come: note the products it names."""
        for product_id in re.findall(r"\((\d{6,})\)", text):
            self.heard.setdefault(int(product_id), time.monotonic())

    def trade(self, rate: int, seconds: int) -> float:
        """Send `rate` events a second, and a probe; returns the rate that came of it."""
        begun, sent = time.monotonic(), 0
        for second in range(seconds):
            self.send(FIRST_PROBE + second, 0)
            while sent < rate * (second + 1):
                self.send(sent % PRODUCTS, 500)
                sent += 1
                if sent % 100 == 0:
                    time.sleep(max(0, begun + sent / rate - time.monotonic()))
        self.producer.flush()
        return sent / (time.monotonic() - begun)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.inventory", description=__doc__)
    parser.add_argument("--rate", type=int, default=5000, help="events a second")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--backlog", type=int, default=500_000, help="events to drain first")
    return parser.parse_args()


def main() -> None:
    """Run both measurements, print them, and keep them in RESULT."""
    given, console = arguments(), Console()
    with tempfile.TemporaryDirectory(prefix="inventory-", dir="/var/tmp") as name:
        folder = Path(name)
        servers = kafka.start(folder / "kafka")
        try:
            result = measure(folder, servers, given)
        finally:
            kafka.remove(folder / "kafka")
    table = Table("measured", "value")
    for key, value in result.items():
        table.add_row(key, f"{value:,.2f}" if isinstance(value, float) else f"{value:,}")
    console.print(table)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")


def measure(folder: Path, servers: str, given: argparse.Namespace) -> dict[str, float]:
    """Drain a backlog, then follow a stream; returns what was measured."""
    admin = KafkaAdminClient(bootstrap_servers=servers)
    admin.create_topics([NewTopic("inventory", PARTITIONS, 1)])
    admin.close()
    lake = Lake((folder / "lake").as_uri())
    write_catalogue(lake, given.seconds)
    shop = Shop(servers, "inventory")
    with webhook(shop) as url:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"},
            "PREFECT_HOME": str(folder / "prefect"),
            "LAKE_URI": lake.root,
            "DUCKDB_PATH": str(folder / "warehouse.duckdb"),
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "SLACK_WEBHOOK_URL": url,
        }
        for _ in range(given.backlog):
            shop.send(shop.number % PRODUCTS, 500)
        shop.producer.flush()
        begun = time.monotonic()
        subprocess.run(command(), env=environment, cwd=REPOSITORY, check=True, stdout=subprocess.DEVNULL)
        drained = time.monotonic() - begun
        # Grain: a record when a run begins, without seconds, and one when it ends.
        inside = max(filter(None, lake_column(lake, "ops.pipeline_runs", "duration_seconds")))

        follower = subprocess.Popen(
            command("--follow-minutes", "600"), env=environment, cwd=REPOSITORY, stdout=subprocess.DEVNULL
        )
        try:
            # It follows once it tells of the first sold-out product.
            shop.send(READY_PROBE, 0)
            wait_for(lambda: READY_PROBE in shop.heard, READY_SECONDS)
            reached = shop.trade(given.rate, given.seconds)
            probes = range(FIRST_PROBE, FIRST_PROBE + given.seconds)
            wait_for(lambda: all(probe in shop.heard for probe in probes), LAST_ALERT_SECONDS)
        finally:
            follower.send_signal(signal.SIGTERM)
            follower.wait(120)
    latencies = [shop.heard[probe] - shop.sent[probe] for probe in probes]
    held = len(lake_column(lake, "silver.inventory", "event_id"))
    if held != shop.number:
        raise SystemExit(f"{shop.number} events sent, {held} in silver")
    percentiles = statistics.quantiles(latencies, n=100, method="inclusive")
    return {
        "drained events": given.backlog,
        "drained events a second, start of the process included": given.backlog / drained,
        "drained events a second, inside the run": given.backlog / inside,
        "followed events": given.rate * given.seconds,
        "followed events a second": reached,
        "alerts": len(latencies),
        "seconds from send to webhook, median": statistics.median(latencies),
        "seconds from send to webhook, p95": percentiles[94],
        "seconds from send to webhook, p99": percentiles[98],
        "seconds from send to webhook, longest": max(latencies),
    }


def lake_column(lake: Lake, name: str, column: str) -> list[Any]:
    """The values of a column of a table of the lake; none if there is no such table."""
    table = lake.table(name)
    return table.to_pyarrow_table(columns=[column])[column].to_pylist() if table else []


def command(*options: str) -> list[str]:
    """The flow as a person starts it."""
    return [sys.executable, "-m", "flows.inventory", *options]


def write_catalogue(lake: Lake, probes: int) -> None:
    """Products that nobody orders: only an empty shelf is news."""
    ids = [*range(PRODUCTS), *range(READY_PROBE, FIRST_PROBE + probes)]
    names = [f"Product {number}" for number in ids]
    write_deltalake(
        lake.uri("silver.products"),
        pa.table({"product_id": pa.array(ids, pa.int64()), "product_name": names}),
    )


@contextmanager
def webhook(shop: Shop) -> Iterator[str]:
    """The address of a server that passes every message on to the shop."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            shop.hear(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def wait_for(is_so: Any, seconds: float) -> None:
    """Raises SystemExit if it is not so in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise SystemExit(f"not within {seconds} s: {is_so}")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
