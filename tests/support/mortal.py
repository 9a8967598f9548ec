"""A process that forks one that dies, for each order (tests/properties/kill_child.py)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prefect.settings import PREFECT_API_URL

from blocks.settings.environment import REPOSITORY
from tests.properties.crash import Place


@dataclass(frozen=True)
class Mortal:
    """The process; one order at a time."""

    process: subprocess.Popen[str]

    def order(
        self, flow: str, arguments: list[object], place: Place | None, log: Path, is_full: bool = False
    ) -> None:
        """Begin a run of a flow, which kills itself at `place` if it comes there.

        With `is_full` its disk is full from there on instead.
        """
        order = {
            "flow": flow,
            "arguments": arguments,
            "place": place,
            "is_full": is_full,
            "environment": dict(os.environ),
            "log": str(log),
        }
        assert self.process.stdin
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def exit_code(self) -> int:
        """How the run that was ordered ended; waits for it."""
        assert self.process.stdout
        return int(self.process.stdout.readline())


@contextmanager
def mortal_process() -> Iterator[Mortal]:
    """The process, on the Prefect server of the tests."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.properties.kill_child"],
        cwd=REPOSITORY,
        env={**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value(), "PREFECT_LOGGING_LEVEL": "ERROR"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Mortal(process)
        assert process.stdin
        process.stdin.close()
