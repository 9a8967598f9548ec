"""The same day on histories of different length: `python -m benchmarks.growth --scales S M L`.

Each shop has had days of equal volume, as many as its scale allows. It is loaded once; then comes a day of
changed orders and clicks, the same with changed customers and products, and a day without any change. What a
day costs should follow from the day, and not from what lies behind it.
"""

import argparse
import dataclasses
import datetime as dt
import json
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.__main__ import database, scratch
from benchmarks.check import differences
from benchmarks.clicks import ClickCounts
from benchmarks.data import SCALES, Changes, DataSet, generate, next_day
from benchmarks.measure import Measurement
from benchmarks.suite import CONTENDERS, Workshop
from lake.delta import Lake

RESULT = Path(__file__).with_name("results") / "growth.json"
FLOW = CONTENDERS["flow"]
# Orders change for two weeks or so; a day's orders and clicks, and its changed dimensions.
A_DAY = Changes(orders=10_000, events=40_000, customers=0, products=0, newest=200_000)
DIMENSIONS = {"customers": 400, "products": 40}
# A row of the table of steps that a run prints.
_STEP = re.compile(r"^ ([a-z]+(?:-[a-z]+)*) +([0-9.]+) *$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """One run of the daily flow."""

    kind: str
    process: Measurement
    inside: float
    """Seconds of the flow run alone, without the process around it."""
    steps: dict[str, float]
    warehouse_bytes: int


class Shop:
    """A shop with a history, its lake and its warehouse."""

    def __init__(self, scale: str, dsn: str, folder: Path, memory_limit: int | None = None) -> None:
        size = SCALES[scale]
        self.days = size.orders // (2 * A_DAY.orders)
        self.workshop = Workshop(folder, memory_limit)
        self.data: DataSet = generate(size, dsn, folder / "data", days=self.days)
        self.day = self.data.day
        self.clicks = self.days * ClickCounts(size.events // self.days).valid
        self.workshop.clear(FLOW)

    def run(self, kind: str) -> Run:
        """A run for the present day."""
        process = self.workshop.run(FLOW, self.data, self.day)
        runs = Lake(self.workshop.lake(FLOW).as_uri()).table("ops.pipeline_runs")
        records = runs.to_pyarrow_table().to_pylist() if runs else []
        # A run is on record when it begins, too.
        ended = [record for record in records if record["duration_seconds"] is not None]
        newest = max(ended, key=lambda record: record["started_at"])
        steps = {name: float(value) for name, value in _STEP.findall(self.workshop.log(FLOW).read_text())}
        warehouse = self.workshop.lake(FLOW).with_name("warehouse.duckdb")
        return Run(kind, process, newest["duration_seconds"], steps, warehouse.stat().st_size)

    def live(self, changes: Changes) -> None:
        """A day with these changes."""
        self.day += dt.timedelta(days=1)
        next_day(self.data, self.day, changes)
        self.clicks += ClickCounts(changes.events).valid

    def check(self) -> None:
        """Raises SystemExit if silver or the lake's sales are wrong: a fast wrong answer is no benchmark."""
        days = (self.day - self.data.day).days + 1
        wrong = differences(self.data, self.workshop.lake(FLOW), FLOW.layout, days, self.clicks)
        if wrong:
            raise SystemExit("; ".join(wrong))


def measure(scale: str, dsn: str, folder: Path, memory_limit: int | None = None) -> list[Run]:
    """The first load of a scale, and the days after it, each run within `memory_limit` bytes."""
    shop = Shop(scale, dsn, folder, memory_limit)
    runs = [shop.run("first load")]
    shop.live(A_DAY)
    runs.append(shop.run("changed orders, clicks"))
    shop.live(dataclasses.replace(A_DAY, **DIMENSIONS))
    runs.append(shop.run("customers and products too"))
    runs.append(shop.run("nothing changed"))
    shop.check()
    return runs


def grid(results: dict[str, list[Run]]) -> report.Grid:
    """One row per run; each ratio is to the same kind of day on the shortest history."""
    shortest = {run.kind: run.inside for run in next(iter(results.values()))}
    rows = [
        [
            scale,
            run.kind,
            f"{run.process.seconds:.1f}",
            f"{run.inside:.1f}",
            f"{run.inside / shortest[run.kind]:.2f}",
            f"{run.process.cpu_seconds:.1f}",
            report.mib(run.process),
            f"{run.warehouse_bytes / 2**20:.0f}",
        ]
        for scale, runs in results.items()
        for run in runs
    ]
    columns = ["history", "day", "process s", "run s", "÷ shortest", "CPU s", "peak MiB", "warehouse MiB"]
    return "The same day on longer histories", columns, rows


def steps_grid(results: dict[str, list[Run]]) -> report.Grid:
    """Seconds of each step of the day of changed orders and clicks, by scale."""
    days = {scale: runs[1].steps for scale, runs in results.items()}
    names = list(dict.fromkeys(name for steps in days.values() for name in steps))
    rows = [[name, *(f"{steps.get(name, 0):.1f}" for steps in days.values())] for name in names]
    return "Steps of the day of changed orders and clicks, seconds", ["step", *days], rows


def save(facts: dict[str, object], results: dict[str, list[Run]]) -> None:
    """Put the runs into RESULT, beside those of other scales: the next one may be ended for its memory."""
    kept = json.loads(RESULT.read_text())["runs"] if RESULT.exists() else {}
    runs = kept | {scale: [dataclasses.asdict(run) for run in runs] for scale, runs in results.items()}
    RESULT.write_text(json.dumps({"machine": facts, "runs": runs}, indent=2) + "\n")


def main() -> None:
    """Measure, print, and keep the figures in RESULT."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--scales", nargs="+", choices=SCALES, default=list(SCALES))
    parser.add_argument(
        "--work", type=Path, help="a folder for data, lakes and logs, kept; default: temporary"
    )
    parser.add_argument(
        "--memory", type=int, metavar="MIB", help="end a run whose processes need more (Linux, as root)"
    )
    options, console, facts = parser.parse_args(), Console(), report.machine()
    memory_limit = options.memory << 20 if options.memory else None
    results = {}
    with scratch(options.work) as folder:
        for scale in options.scales:
            with (
                tempfile.TemporaryDirectory(dir=folder) as name,
                database(None, Path(name) / "postgres") as dsn,
                console.status(scale),
            ):
                results[scale] = measure(scale, dsn, Path(name), memory_limit)
            save(facts, results)
    tables = [grid(results), steps_grid(results)]
    report.show(console, tables)
    print(report.markdown(tables))


if __name__ == "__main__":
    main()
