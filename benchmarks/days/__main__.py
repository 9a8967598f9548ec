"""Equal days, one after the other: `python -m benchmarks.days --days 90 --volume 0.2`.

Each day brings as many new and changed orders, clicks, changed customers and products, and stock events as any other.
A process of its own runs the flows on it, against a Prefect server, a PostgreSQL and a Kafka that stay up. What a day
takes should not grow with the days before it. `--every 7` measures one day in seven, and brings those between in at
once: a year in a sitting.
"""

import argparse
import dataclasses
import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
from rich.console import Console

from benchmarks import ours, report
from benchmarks.__main__ import database, scratch
from benchmarks.contender import REPOSITORY
from benchmarks.days.shop import FIRST_DAYS, Shop
from benchmarks.days.trend import Record, grid, trend
from benchmarks.days.work import FLOWS, work
from demo.services import kafka
from demo.services.postgres_cluster import locate
from spark_jobs.engine.local_server import LOOPBACK, accepts, answers_in_time, free_port

RESULT = Path(__file__).parents[1] / "results" / "days.json"
SUNDAY = 7
SERVER_SECONDS = 180
NOTE = (
    "On a machine that others share, seconds say nothing, and CPU seconds are somewhat high: judge by bytes, files, "
    "memory and the days' CPU seconds beside each other. Imports are in none of them: a day's process is forked from "
    "one that has imported the flows. All days are of one hour by the clock: what is deleted for its age, as Prefect's "
    "events and old commits of Delta logs are after a week, is still there. Replaced files of the lake, which go a week "
    "after a maintenance, go with it."
)


@contextmanager
def brokers(folder: Path) -> Iterator[str]:
    """The address of a Kafka that lives as long as the benchmark."""
    try:
        yield kafka.start(folder)
    finally:
        kafka.remove(folder)


@contextmanager
def prefect_server(log: Path) -> Iterator[tuple[int, int]]:
    """The port and the process id of a Prefect server, as `prefect server start` makes one."""
    port = free_port()
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)]
    with log.open("w") as output:
        server = subprocess.Popen(command, cwd=REPOSITORY, stdout=output, stderr=output)
        try:
            if not answers_in_time(lambda: accepts(port), lambda: server.poll() is None, SERVER_SECONDS):
                raise SystemExit(f"Prefect's server did not start: {log.read_text()}")
            yield port, server.pid
        finally:
            server.terminate()
            server.wait(60)


def cpu_seconds(pid: int) -> float:
    """Of a process and its descendants, those that have ended included."""
    root = psutil.Process(pid)
    # The first four: its own by user and system, and those of children that have ended.
    return float(sum(sum(each.cpu_times()[:4]) for each in [root, *root.children(recursive=True)]))


def play(shop: Shop, servers: dict[str, int], gaps: list[int]) -> Iterator[Record]:
    """A record of each run; each brings in as many more days as `gaps` says, and the last is checked."""
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(FLOWS)
    with ProcessPoolExecutor(1, forks, max_tasks_per_child=1) as processes:
        for gap in gaps:
            for _ in range(gap):
                shop.live()
            before = {name: cpu_seconds(pid) for name, pid in servers.items()}
            is_maintained = gap > 1 or shop.day.isoweekday() == SUNDAY
            done = processes.submit(work, shop.day, gap > 0, is_maintained).result()
            used = {name: cpu_seconds(pid) - before[name] for name, pid in servers.items()}
            if is_maintained:
                shop.age_lake()
            yield {
                "day": shop.age,
                "days_brought_in": gap or FIRST_DAYS,
                **dataclasses.asdict(done),
                "servers": used,
                "kept": shop.kept(),
            }
    shop.check()


def is_trend_seen(records: list[Record]) -> bool:
    """True from the second measured day that follows day 1."""
    return sum(record["days_brought_in"] == 1 for record in records) > 2


def save(name: str, options: argparse.Namespace, facts: dict[str, object], records: list[Record]) -> None:
    """Put the run into RESULT, beside those of other names."""
    results = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    results |= {
        "note": NOTE,
        name: {
            "machine": facts,
            "volume": options.volume,
            "trend": trend(records) if is_trend_seen(records) else None,
            "runs": records,
        },
    }
    RESULT.write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    """Play the days, print their trend, and keep all figures in RESULT."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.days", description=__doc__)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--volume", type=float, default=0.2, help="1: a weekday of the demo shop, times ten")
    parser.add_argument("--every", type=int, default=1, help="measure one day in so many, the rest at once")
    parser.add_argument("--name", help="of the run in the results")
    parser.add_argument("--work", type=Path, help="a folder for all of it, kept; default: temporary")
    options, console, facts = parser.parse_args(), Console(), report.machine()
    gaps = [0, *[1] * options.days]
    if options.every > 1:
        gaps = [0, 1, *[options.every - 1, 1] * (options.days // options.every)]
    records = []
    with (
        scratch(options.work) as folder,
        database(None, folder / "postgres") as dsn,
        brokers(folder / "kafka") as servers,
    ):
        shop = Shop(folder, dsn, servers, options.volume)
        os.environ |= shop.environment()
        ours.prepare(shop.home)
        with prefect_server(folder / "server.log") as (port, pid):
            os.environ["PREFECT_API_URL"] = f"http://{LOOPBACK}:{port}/api"
            postmaster = int((locate(folder / "postgres").data / "postmaster.pid").read_text().split()[0])
            watched = {"PostgreSQL": postmaster, "Prefect's server": pid}
            for record in play(shop, watched, gaps):
                records.append(record)
                # After each: a run that is stopped has its figures.
                save(options.name or f"{options.days} days", options, facts, records)
                console.print_json(json.dumps({name: record[name] for name in ("day", "parts", "servers")}))
    if is_trend_seen(records):
        report.show(console, [grid(trend(records))])


if __name__ == "__main__":
    main()
