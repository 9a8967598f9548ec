"""Snowflake and BigQuery on this machine, each in a process of its own, spoken to over HTTP.

An emulator is started at most once per test session; each test gets a database or project of its own.
"""

import socket
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

# The one login that the fake of Snowflake accepts.
USER, PASSWORD = "loader", "open-sesame"
START_TIMEOUT_SECONDS = 90
TESTS = Path(__file__).parent


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
        port = unused_port()
        log = self.folder / f"{kind}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, str(TESTS / f"fake_{kind}.py"), str(port)],
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                time.sleep(0.1)
            else:
                return port
        raise EmulatorUnavailable(f"the emulator of {kind} did not start: {log.read_text()[-500:]}")


def unused_port() -> int:
    """A port that nobody listens at now."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]
