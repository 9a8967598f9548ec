"""Run a command and measure it: wall and CPU seconds, peak memory of the whole process tree, steps."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks.memory_limit import limited_group

SAMPLE_SECONDS = 0.05
# A sample of a large process takes milliseconds of kernel time. Sleeping a multiple of that keeps the
# measuring below a tenth of one core.
SAMPLE_REST = 10
LOG_TAIL = 3_000

_STEP = re.compile(r"^step (\S+) ([0-9.]+)$", re.MULTILINE)


class CommandFailed(RuntimeError):
    """The measured command ended with an error; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Measurement:
    """One run of a command."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    # "PSS" counts a page shared by n processes as 1/n in each, so the sum over a tree is exact.
    # "RSS" counts it n times, and is used where the system reports no PSS.
    memory_kind: str
    # Between two samples a spike goes unseen; seconds / samples is how far apart they really were.
    samples: int
    steps: dict[str, float] = field(default_factory=dict)


class TreeSampler:
    """Peak memory and CPU seconds of a process and all its descendants, from repeated samples."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self.samples = 0
        self.memory_kind = "PSS" if hasattr(psutil.Process().memory_full_info(), "pss") else "RSS"
        self._root = psutil.Process(pid)
        self._cpu: dict[psutil.Process, float] = {self._root: 0.0}

    @property
    def cpu_seconds(self) -> float:
        """CPU seconds of every process seen, each up to the last sample before its end."""
        return sum(self._cpu.values())

    def sample(self) -> None:
        """Take one sample. Ended processes keep the CPU seconds they had."""
        try:
            for child in self._root.children(recursive=True):
                self._cpu.setdefault(child, 0.0)
        except psutil.NoSuchProcess:
            pass
        # Processes seen before are asked again: a daemon whose parent ended is no descendant any more.
        self.samples += 1
        self.peak_bytes = max(self.peak_bytes, sum(self._sample_one(process) for process in list(self._cpu)))

    def end_leftovers(self) -> None:
        """End what the command left running, so that it does not disturb the next measurement."""
        alive = [process for process in self._cpu if process.is_running()]
        for process in alive:
            _signal(process, signal.SIGTERM)
        for process in psutil.wait_procs(alive, timeout=10)[1]:
            _signal(process, signal.SIGKILL)

    def _sample_one(self, process: psutil.Process) -> int:
        try:
            times = process.cpu_times()
            self._cpu[process] = times.user + times.system
            if self.memory_kind == "PSS":
                return int(process.memory_full_info().pss)
            return int(process.memory_info().rss)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            return 0


def measure(
    command: Sequence[str],
    *,
    environment: Mapping[str, str | None],
    directory: Path,
    log: Path,
    memory_limit: int | None = None,
) -> Measurement:
    """Run `command` in `directory`, its output in the file `log`.

    `environment` is laid over the present one; None takes a variable away. With a `memory_limit`, in bytes,
    the kernel ends the command if all its processes need more together.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    # Pages that an earlier run left dirty would otherwise be written back on this run's time.
    os.sync()
    with log.open("w") as output, limited_group(memory_limit) as group:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={name: value for name, value in {**os.environ, **environment}.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        if group:
            # Within the first milliseconds of an interpreter; its children are born in the group.
            group.write_text(str(process.pid))
        sampler = TreeSampler(process.pid)
        try:
            _watch(process, sampler)
            seconds = time.perf_counter() - started
        finally:
            sampler.end_leftovers()
    text = log.read_text(errors="replace")
    if process.returncode != 0:
        raise CommandFailed(f"{' '.join(command)} ended with {process.returncode}:\n{text[-LOG_TAIL:]}")
    steps = {name: float(value) for name, value in _STEP.findall(text)}
    return Measurement(
        seconds, sampler.cpu_seconds, sampler.peak_bytes, sampler.memory_kind, sampler.samples, steps
    )


def _watch(process: subprocess.Popen[bytes], sampler: TreeSampler) -> None:
    """Sample until the process ends."""
    while True:
        started = time.perf_counter()
        sampler.sample()
        rest = max(SAMPLE_SECONDS, SAMPLE_REST * (time.perf_counter() - started))
        try:
            process.wait(timeout=rest)
        except subprocess.TimeoutExpired:
            continue
        return


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)
