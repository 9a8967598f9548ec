"""The benchmarks' results as rich tables, as Markdown and as JSON. Every figure of one report is of one run."""

import dataclasses
import datetime as dt
import json
import os
import platform
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.data import DataSet
from benchmarks.measure import Measurement
from benchmarks.suite import YARDSTICK, FirstLoad, History, median_run

_ENGINES = ("pyspark", "pysail", "delta-spark", "deltalake", "duckdb", "prefect")
MISSING = "-"

Grid = tuple[str, list[str], list[list[str]]]


def machine() -> dict[str, Any]:
    """The machine that the figures depend on. `load_average` above 0.5 at the start means that others were at work."""
    return {
        "cpus": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        **{name: version(name) for name in _ENGINES},
        "spark_remote": os.environ.get("SPARK_REMOTE", ""),
    }


def grids(loads: list[FirstLoad], histories: list[History]) -> list[Grid]:
    """(title, column names, rows) of every table of the report."""
    tables = [_first_load_grid(loads), _steps_grid(loads)]
    if any(load.reruns for load in loads):
        tables.append(_rerun_grid(loads))
    if histories:
        tables.append(_history_grid(histories))
    return tables


def show(console: Console, tables: list[Grid]) -> None:
    """Print the tables with rich."""
    for title, columns, rows in tables:
        table = Table(title=title, title_justify="left")
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if _is_figures(rows, number) else "left")
        for row in rows:
            table.add_row(*row)
        console.print(table)


def markdown(tables: list[Grid]) -> str:
    """The same tables as Markdown."""
    parts = []
    for title, columns, rows in tables:
        rules = ["---:" if _is_figures(rows, number) else "---" for number in range(len(columns))]
        lines = [columns, rules, *rows]
        parts.append(f"**{title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def save(
    path: Path,
    data: DataSet,
    facts: dict[str, Any],
    loads: list[FirstLoad],
    histories: list[History],
) -> None:
    """Write everything measured, every single run included."""
    result = {
        "scale": dataclasses.asdict(data.scale),
        "finished_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": facts,
        "first_load": [
            {
                "contender": load.contender.key,
                "runs": [dataclasses.asdict(run) for run in load.runs],
                "reruns": [dataclasses.asdict(run) for run in load.reruns],
                "differences": load.differences,
                "failure": load.failure,
            }
            for load in loads
        ],
        "history": [
            {
                "contender": item.contender.key,
                "share": item.share,
                "growth": item.growth,
                "differences": item.differences,
                "days": [dataclasses.asdict(run) for run in item.days],
            }
            for item in histories
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(result, indent=2) + "\n")


def _first_load_grid(loads: list[FirstLoad]) -> Grid:
    yardstick = next((load.typical for load in loads if load.contender.key == YARDSTICK), None)
    kinds = {run.memory_kind for load in loads for run in load.runs}
    columns = [
        "contender",
        "seconds",
        "÷ ours",
        "CPU s",
        f"peak MiB ({'/'.join(sorted(kinds)) or MISSING})",
        "result",
    ]
    rows = []
    for load in loads:
        run = load.typical
        if run is None:
            rows.append([load.contender.title, *[MISSING] * 4, "did not run"])
            continue
        ratio = f"{run.seconds / yardstick.seconds:.2f}" if yardstick else MISSING
        outcome = "failed in a later run" if load.failure else "; ".join(load.differences) or "right"
        rows.append(
            [load.contender.title, f"{run.seconds:.1f}", ratio, f"{run.cpu_seconds:.1f}", mib(run), outcome]
        )
    return "First load", columns, rows


def _steps_grid(loads: list[FirstLoad]) -> Grid:
    rows = [
        [load.contender.title, name, f"{seconds:.2f}"]
        for load in loads
        if load.typical
        for name, seconds in load.typical.steps.items()
    ]
    return "Steps of the first load", ["contender", "step", "seconds"], rows


def _rerun_grid(loads: list[FirstLoad]) -> Grid:
    rows = []
    for load in loads:
        first, again = load.typical, median_run(load.reruns)
        if first and again:
            ratio = again.seconds / first.seconds
            rows.append(
                [load.contender.title, f"{first.seconds:.1f}", f"{again.seconds:.1f}", f"{ratio:.2f}"]
            )
    return "Re-run, nothing changed", ["contender", "first s", "again s", "again ÷ first"], rows


def _history_grid(histories: list[History]) -> Grid:
    columns = [
        "contender",
        "days",
        "day 1 s",
        "last day s",
        "last 3 ÷ first 3",
        "MiB day 1",
        "MiB last day",
        "result",
    ]
    rows = []
    for item in histories:
        first, last = item.days[0], item.days[-1]
        figures = [
            f"{first.seconds:.1f}",
            f"{last.seconds:.1f}",
            f"{item.growth:.2f}",
            mib(first),
            mib(last),
        ]
        figures.append("; ".join(item.differences) or "right")
        rows.append([item.contender.title, str(len(item.days)), *figures])
    return "Last day against day 1, equal volumes", columns, rows


def mib(run: Measurement) -> str:
    """The peak memory of a run, in MiB."""
    return f"{run.peak_bytes / 2**20:.0f}"


def _is_figures(rows: list[list[str]], column: int) -> bool:
    return all(re.fullmatch(rf"[0-9.]+|{MISSING}", row[column]) for row in rows)
