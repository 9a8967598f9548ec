"""The platform's status on one screen."""

import datetime as dt
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.monitoring.status import ALERTS_FOR, MOST_LAG, Decided, Status

COLORS = {"healthy": "green", "broken": "red", "unknown": "yellow"}
MOST_ROWS = 8
SHORT = 25


def show(status: Status, console: Console) -> None:
    """Print what is broken, what is unknown, and then every reading as a table."""
    headline = Text(status.verdict.upper(), f"bold {COLORS[status.verdict]}")
    console.print(headline, Text(f"lake {status.lake}"), soft_wrap=True)
    for color, sentences in (("red", status.broken), ("yellow", status.unknown)):
        for sentence in sentences:
            console.print(Text(f"- {sentence}", color), soft_wrap=True)

    def ago(at: dt.datetime | None) -> str:
        return _span(status.at - at) if at else "never"

    _table(
        console,
        "Told, or held back, and not over",
        ("trouble", "severity", "since", "runs", "of flows", "told"),
        (
            (each.name, each.severity or "-", ago(each.began_at), each.runs, ", ".join(each.flows), each.told)
            for each in status.troubles
        ),
    )
    _table(
        console,
        f"Overrides that stand, and of the last {ALERTS_FOR.days} days",
        ("id", "decision", "until", "who", "why"),
        (
            (
                each.override_id if each.stands else "-",
                each.decision,
                _until(each),
                each.person,
                each.reason,
            )
            for each in status.overrides
        ),
    )
    _table(
        console,
        "Last run of each flow",
        ("flow", "ds", "status", "began", "last good", "failed in"),
        (
            (run.flow, run.ds, run.status, ago(run.started_at), ago(run.completed_at), run.failed_step or "")
            for run in status.runs
        ),
    )
    _table(
        console,
        "Newest row of each table",
        ("table", "is from", "age"),
        ((table, f"{at:%Y-%m-%d %H:%M}", ago(at)) for table, at in status.newest_data.items()),
    )
    _table(
        console,
        "Open quarantine",
        ("source", "reason", "rows"),
        ((each.source, each.reason, f"{each.rows:,}") for each in status.open_quarantine or ()),
    )
    if status.open_quarantine is None:
        console.print(Text("Open quarantine: not read; ask the warehouse's quarantine.open_rows", "dim"))
    _table(
        console,
        "Expectations that fail",
        ("severity", "table", "expectation", "e.g."),
        (
            (each.severity, f"{each.layer} {each.table_name}", each.expectation, each.samples or "")
            for each in status.failed_expectations
        ),
    )
    _table(
        console,
        f"Events that wait in Kafka ({MOST_LAG:,} are too many)",
        ("partition", "events"),
        ((partition, f"{events:,}") for partition, events in status.consumer_lag.items()),
    )
    _table(
        console,
        "Alerts that reached nobody",
        ("alert", "severity", "age", "why"),
        (
            (each.alert_id, each.severity, ago(each.recorded_at), each.detail or "")
            for each in status.undelivered
        ),
    )


def _table(
    console: Console, title: str, columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]
) -> None:
    """Print a table that fits the screen; nothing if it has no rows."""
    found = [[str(value).partition("\n")[0] for value in row] for row in rows]
    if not found:
        return
    console.print(Text(title, "bold"))
    # The long columns share the width that the short ones leave, so that no column is lost.
    widths = [max(map(len, each)) for each in zip(columns, *found[:MOST_ROWS], strict=True)]
    table = Table(box=None, header_style="dim", expand=max(widths) > SHORT)
    for column, width in zip(columns, widths, strict=True):
        table.add_column(column, no_wrap=True, overflow="ellipsis", ratio=1 if width > SHORT else None)
    for row in found[:MOST_ROWS]:
        table.add_row(*map(Text, row))
    if len(found) > MOST_ROWS:
        table.add_row(f"and {len(found) - MOST_ROWS} more")
    console.print(table)


def _until(override: Decided) -> str:
    if override.until:
        return f"{override.until:%Y-%m-%d %H:%M}"
    return "it is over" if override.stands else "that run"


def _span(span: dt.timedelta) -> str:
    """In the largest unit that is not zero."""
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if span >= dt.timedelta(seconds=seconds):
            return f"{span.total_seconds() // seconds:.0f} {unit}"
    return "now"
