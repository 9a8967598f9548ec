"""One day of a shop's pipeline in a process of its own, and what each part of it used.

Figures are the kernel's own and exact, however busy the machine is: CPU seconds, bytes, the highest memory.
"""

import datetime as dt
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

# What a day's process is forked from has imported these, and so no day pays for it.
FLOWS = ["flows.daily", "flows.inventory", "flows.maintenance"]


@dataclass(frozen=True)
class Spent:
    """What a process has used so far, or a part of a day."""

    seconds: float
    cpu_seconds: float
    read_bytes: int
    """What system calls have read, from files and from sockets, whether a disk was asked or not."""
    written_bytes: int

    @classmethod
    def so_far(cls) -> "Spent":
        """By this process, all threads included."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        counted = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return cls(
            time.monotonic(), used.ru_utime + used.ru_stime, int(counted["rchar"]), int(counted["wchar"])
        )

    def __sub__(self, before: "Spent") -> "Spent":
        return Spent(
            self.seconds - before.seconds,
            self.cpu_seconds - before.cpu_seconds,
            self.read_bytes - before.read_bytes,
            self.written_bytes - before.written_bytes,
        )


@dataclass
class DayOfWork:
    """What the flows of a day have used."""

    parts: dict[str, Spent] = field(default_factory=dict)
    peak_bytes: int = 0

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count what the block uses."""
        before = Spent.so_far()
        yield
        self.parts[name] = Spent.so_far() - before
        self.peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def work(day: dt.date, is_stocked: bool, is_maintained: bool) -> DayOfWork:
    """Run the flows that follow a day: stock events, the daily run, and at a week's end maintenance."""
    # Not at the top: the process that starts the days has settings of its own, and needs no flows.
    from flows.daily import daily_ecommerce_pipeline
    from flows.inventory import inventory
    from flows.maintenance import maintenance
    from tasks.runs.console import quiet_logs

    quiet_logs()
    done = DayOfWork()
    if is_stocked:
        with done.part("inventory"):
            inventory()
    with done.part("daily"):
        daily_ecommerce_pipeline(day)
    if is_maintained:
        with done.part("maintenance"):
            maintenance(day)
    return done
