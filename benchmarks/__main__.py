"""Benchmark the pipeline: `python -m benchmarks --scale M`.

One run, one data set: the lesson's job chain, ours, and DuckDB by hand load it in turn; ours then runs
again unchanged; then come 30 days of equal volume. A full run is written to `benchmarks/results/`.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks import report
from benchmarks.data import DAILY_SHARE, SCALES, generate
from benchmarks.lesson_jobs import jdbc_driver
from benchmarks.measure import CommandFailed
from benchmarks.suite import CONTENDERS, History, Workshop, first_loads, history
from demo.services import postgres

# On two cores the extracts take longer together than in turn, so the lesson's better time is the one in turn.
USUAL = [key for key in CONTENDERS if key != "lesson-concurrent"]
RESULTS = Path(__file__).resolve().parent / "results"


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--scale", choices=SCALES, default="S")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=USUAL, help="contenders to run")
    parser.add_argument(
        "--repeat", type=int, default=1, help="first loads of each contender; the median is shown"
    )
    parser.add_argument("--no-rerun", action="store_true", help="leave out the unchanged re-run of ours")
    parser.add_argument("--days", type=int, default=30, help="days of equal volume; 0 leaves them out")
    parser.add_argument("--share", type=float, default=DAILY_SHARE, help="a day's part of the scale")
    parser.add_argument(
        "--history-of", choices=("lake", "flow"), default="flow", help="what runs on each of those days"
    )
    parser.add_argument("--dsn", help="a scratch PostgreSQL, whose tables are replaced; default: start one")
    parser.add_argument(
        "--work", type=Path, help="a folder for data, lakes and logs, kept; default: a temporary one"
    )
    parser.add_argument("--results", type=Path, help="folder for SCALE.json; full runs: benchmarks/results")
    return parser.parse_args()


@contextmanager
def scratch(chosen: Path | None) -> Iterator[Path]:
    """The chosen folder, or a temporary one."""
    if chosen:
        chosen.mkdir(parents=True, exist_ok=True)
        yield chosen.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        yield Path(name)


@contextmanager
def database(given: str | None, folder: Path) -> Iterator[str]:
    """The DSN of the given PostgreSQL, or of one that lives as long as the benchmark."""
    if given:
        yield given
        return
    try:
        yield postgres.start(folder)
    finally:
        postgres.remove(folder)


def run(options: argparse.Namespace, console: Console) -> bool:
    """Run what was asked for and report it; return whether all of it ran and ours was right."""
    facts = report.machine()
    chosen = [contender for key, contender in CONTENDERS.items() if key in options.only]
    histories: list[History] = []
    sound = True
    if any(contender.key.startswith("lesson") for contender in chosen):
        jdbc_driver()  # fetched here, so that no contender pays for it
    with scratch(options.work) as folder, database(options.dsn, folder / "postgres") as dsn:
        with console.status("generating the data set"):
            data = generate(SCALES[options.scale], dsn, folder / "data")
        workshop = Workshop(folder)
        with console.status("first loads"):
            loads = first_loads(data, chosen, workshop, repeat=options.repeat, rerun=not options.no_rerun)
        runner = next((load for load in loads if load.contender.key == options.history_of), None)
        if options.days and runner and runner.failure is None:
            with console.status("days of equal volume"):
                try:
                    histories.append(
                        history(data, runner.contender, workshop, days=options.days, share=options.share)
                    )
                except CommandFailed as failure:
                    console.print(f"history: {failure}", style="red", markup=False)
                    sound = False
    tables = report.grids(loads, histories)
    report.show(console, tables)
    print(report.markdown(tables))
    is_full = set(options.only) >= set(USUAL) and bool(histories) and not options.no_rerun
    if target := options.results or (RESULTS if is_full else None):
        report.save(target / f"{options.scale}.json", data, facts, loads, histories)
    for load in loads:
        if load.failure:
            console.print(f"{load.contender.title}: {load.failure}", style="red", markup=False)
    sound = sound and not any(item.differences for item in histories)
    return sound and all(
        load.failure is None and not (load.contender.is_ours and load.differences) for load in loads
    )


if __name__ == "__main__":
    sys.exit(0 if run(arguments(), Console()) else 1)
