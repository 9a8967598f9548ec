"""Does it grow? The first seven measured days beside the last, and a slope that single days do not bend."""

import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any

from benchmarks.report import Grid

SOME = 7
Record = dict[str, Any]
"""A day's figures, as `benchmarks.days` writes them."""


def figures(record: Record, before: Record) -> dict[str, float]:
    """What a day took, and by how much it made what is kept longer, in CPU seconds, MiB and files."""
    daily, stock = record["parts"]["daily"], record["parts"]["inventory"]
    kept, kept_before = record["kept"], before["kept"]
    grown = {
        f"{place}: MiB more": (kept[place]["bytes"] - kept_before.get(place, {"bytes": 0})["bytes"]) / 2**20
        for place in kept
    }
    return {
        "daily run: CPU s": daily["cpu_seconds"],
        "daily run: MiB read": daily["read_bytes"] / 2**20,
        "daily run: MiB written": daily["written_bytes"] / 2**20,
        "inventory run: CPU s": stock["cpu_seconds"],
        "inventory run: MiB read": stock["read_bytes"] / 2**20,
        "inventory run: MiB written": stock["written_bytes"] / 2**20,
        **{f"{name}: CPU s": seconds for name, seconds in record["servers"].items()},
        "peak MiB": record["peak_bytes"] / 2**20,
        "lake: files": kept["lake"]["files"],
        **grown,
    }


def slope(values: Sequence[tuple[int, float]]) -> float:
    """The median slope of all pairs (Theil and Sen), per day, of values by day."""
    pairs = combinations(values, 2)
    return statistics.median((high - low) / (later - earlier) for (earlier, low), (later, high) in pairs)


def trend(records: Sequence[Record]) -> dict[str, dict[str, float]]:
    """Of each figure: the medians of the first SOME days from day 2 and of the last, and the slope over all of them.

    `records` are of day 0 (the first load), of day 1, and of later ones; what brought in many days at once is left
    out. When each day is measured, a day with maintenance is among seven others.
    """
    days = {
        record["day"]: figures(record, before)
        for before, record in pairwise(records[1:])
        if record["days_brought_in"] == 1
    }
    summary = {}
    for name in days[max(days)]:
        values = [(day, used.get(name, 0.0)) for day, used in days.items()]
        early, late = (
            statistics.median(value for _, value in some) for some in (values[:SOME], values[-SOME:])
        )
        summary[name] = {"first days": early, "last days": late, "a day more": slope(values)}
    return summary


def grid(summary: Mapping[str, Mapping[str, float]]) -> Grid:
    """The trend as a table, with what the last days are of the first."""
    rows = [
        [
            name,
            f"{each['first days']:.2f}",
            f"{each['last days']:.2f}",
            f"{each['last days'] / each['first days']:.2f}" if each["first days"] > 0 else "-",
            f"{each['a day more']:.4f}",
        ]
        for name, each in summary.items()
    ]
    return "Equal days", ["", "first days", "last days", "÷", "more each day"], rows
