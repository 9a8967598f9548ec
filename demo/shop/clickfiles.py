"""The files of the clickstream: three a day in `YYYY-MM-DD/`, JSON lines all, one of them gzipped.

Under 1 % of a day's lines are broken on purpose, and some events are delivered twice.
"""

import datetime as dt
import gzip
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from demo.shop.chance import DAY, some
from demo.shop.clickstream import Event

PARTS = ("part-000.jsonl", "part-001.jsonl.gz", "part-002.json")
Parts = list[list[str]]


def _without(event: Event, field: str) -> str:
    return _line({name: value for name, value in event.items() if name != field})


# Kind of broken line: (how many a day at scale 1, how it comes about).
BROKEN: dict[str, tuple[int, Callable[[Event], str]]] = {
    "truncated": (10, lambda event: _line(event)[: len(_line(event)) * 2 // 3]),
    "no event_id": (6, lambda event: _without(event, "event_id")),
    "null event_id": (2, lambda event: _line(event | {"event_id": None})),
    "no user_id": (6, lambda event: _without(event, "user_id")),
    "empty user_id": (2, lambda event: _line(event | {"user_id": ""})),
    "wrong timestamp": (5, lambda event: _line(event | {"timestamp": "2026-13-45T99:61:00Z"})),
    "no timestamp": (3, lambda event: _line(event | {"timestamp": "yesterday"})),
    "log line": (
        6,
        lambda event: f"{event['timestamp']} WARN collector: retry 2/3, upstream timed out",
    ),
}
# Events delivered twice, a day at scale 1.
TWICE_IN_FILE = 15
TWICE_ELSEWHERE = 10
TWICE_NEXT_DAY = 10


def write(rng: random.Random, root: Path, day: dt.date, events: Sequence[Event], scale: float) -> int:
    """Write the day's folder and return its number of lines; writing again replaces it by the same bytes."""
    parts = _deal(rng, _lines(rng, events, scale))
    _deliver_twice(rng, parts, _yesterdays(root, day), scale)
    folder = root / day.isoformat()
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in zip(PARTS, parts, strict=True):
        _write_file(folder / name, lines)
    return sum(map(len, parts))


def _line(event: Event) -> str:
    return json.dumps(event, ensure_ascii=False)


def _lines(rng: random.Random, events: Sequence[Event], scale: float) -> list[str]:
    """One line per event, some broken."""
    breaks = [broken for share, broken in BROKEN.values() for _ in range(some(rng, share * scale))][
        : len(events)
    ]
    lines = [_line(event) for event in events]
    for index, broken in zip(rng.sample(range(len(events)), len(breaks)), breaks, strict=True):
        lines[index] = broken(events[index])
    return lines


def _deal(rng: random.Random, lines: Sequence[str]) -> Parts:
    """Three collectors write at once: every file spans the whole day."""
    parts: Parts = [[] for _ in PARTS]
    for line in lines:
        rng.choice(parts).append(line)
    return parts


def _deliver_twice(rng: random.Random, parts: Parts, yesterdays: Sequence[str], scale: float) -> None:
    """At-least-once delivery: the same line again in its file, in another file, and on the next day."""
    for source, target in [(0, 0)] * some(rng, TWICE_IN_FILE * scale) + [(1, 2)] * some(
        rng, TWICE_ELSEWHERE * scale
    ):
        if parts[source]:
            _insert(rng, parts[target], rng.choice(parts[source]))
    again = min(some(rng, TWICE_NEXT_DAY * scale), len(yesterdays))
    for line in rng.sample(yesterdays, again):
        _insert(rng, parts[0], line)


def _insert(rng: random.Random, lines: list[str], line: str) -> None:
    lines.insert(rng.randint(0, len(lines)), line)


def _yesterdays(root: Path, day: dt.date) -> list[str]:
    """The lines of yesterday's first file; none on the first day."""
    path = root / (day - DAY).isoformat() / PARTS[0]
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _write_file(path: Path, lines: Sequence[str]) -> None:
    """Write and rename, so that a reader never meets half a file."""
    content = "".join(f"{line}\n" for line in lines).encode()
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)  # no clock in the header: same lines, same bytes
    draft = path.with_name(f".{path.name}.draft")
    draft.write_bytes(content)
    draft.replace(path)
