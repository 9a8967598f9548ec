"""Snowflake and BigQuery on this machine, each in a process of its own, spoken to over HTTP.

An emulator is started at most once per test session; each test gets a database or project of its own.
"""

import subprocess
import sys
from pathlib import Path
from uuid import uuid4

from blocks.settings.environment import REPOSITORY
from spark_jobs.engine.local_server import accepts, answers_in_time, free_port

# The one login that the fake of Snowflake accepts.
USER, PASSWORD = "loader", "open-sesame"
START_TIMEOUT_SECONDS = 90


class EmulatorUnavailable(Exception):
    """It did not start; the message says what it printed last."""


class Emulators:
    """The emulators of a test session; logs go to `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports: dict[str, int] = {}
        self.processes: list[subprocess.Popen] = []

    def environment(self, kind: str) -> dict[str, str]:
        """The settings of an empty warehouse on the emulator of `kind`. Raises EmulatorUnavailable."""
        if kind not in self.ports:
            self.ports[kind] = self._start(kind)
        name, port = f"shop{uuid4().hex[:8]}", str(self.ports[kind])
        if kind == "bigquery":
            return {
                "WAREHOUSE": "bigquery",
                "BIGQUERY_PROJECT": name,
                "BIGQUERY_API_ENDPOINT": f"http://127.0.0.1:{port}",
            }
        return {
            "WAREHOUSE": "snowflake",
            "SNOWFLAKE_ACCOUNT": "fake",
            "SNOWFLAKE_USER": USER,
            "SNOWFLAKE_PASSWORD": PASSWORD,
            "SNOWFLAKE_DATABASE": name,
            "SNOWFLAKE_HOST": "127.0.0.1",
            "SNOWFLAKE_PORT": port,
            "SNOWFLAKE_PROTOCOL": "http",
        }

    def stop(self) -> None:
        """Kill what was started."""
        for process in self.processes:
            process.kill()
            process.wait()

    def _start(self, kind: str) -> int:
        port = free_port()
        log = self.folder / f"{kind}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", f"tests.support.fake_{kind}", str(port)],
                cwd=REPOSITORY,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        if answers_in_time(lambda: accepts(port), lambda: process.poll() is None, START_TIMEOUT_SECONDS):
            return port
        raise EmulatorUnavailable(f"the emulator of {kind} did not start: {log.read_text()[-500:]}")
