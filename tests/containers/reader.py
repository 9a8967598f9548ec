"""A reader of the README: carries out a block of commands to the letter, in a copy of the repository."""

import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.deployments.conftest import wait_for

COMMAND_SECONDS = 1800
# Commands that keep a terminal to themselves.
SERVING = ("prefect server start", "prefect worker start")
SERVER = "http://127.0.0.1:4200/api/health"


@dataclass
class Reader:
    """Where the reader is, and what has been exported; `logs` are what the terminals with a server show."""

    folder: Path
    environment: dict[str, str]
    terminals: ExitStack
    logs: list[Path] = field(default_factory=list)

    def carry_out(self, commands: list[str]) -> str:
        """Carry out the commands, in this order; returns what they printed. Fails if one does."""
        return "".join(map(self._carry_out, commands))

    def _carry_out(self, command: str) -> str:
        if command.startswith("export "):
            for assignment in shlex.split(command)[1:]:
                name, _, value = assignment.partition("=")
                self.environment[name] = value
            return ""
        if any(words in command for words in SERVING):
            self._serve(command)
            return ""
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-6000:]}"
        return done.stdout

    def _serve(self, command: str) -> None:
        log = self.folder / "data" / f"terminal-{len(self.logs) + 1}.log"
        self.logs.append(log)
        with log.open("wb") as output:
            process = subprocess.Popen(
                shlex.split(command, comments=True),
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.terminals.callback(process.wait, 120)
        self.terminals.callback(process.send_signal, signal.SIGTERM)
        is_ready = _answers if "server" in command else lambda: b"started!" in log.read_bytes()
        wait_for(is_ready, 300, f"{command}: not ready")


def _answers() -> bool:
    try:
        return httpx.get(SERVER, timeout=5).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def reader(folder: Path, environment: dict[str, str]) -> Iterator[Reader]:
    """A reader whose terminals are closed at the end."""
    with ExitStack() as terminals:
        yield Reader(folder, {**environment}, terminals)


def block(page: Path, heading: str) -> list[str]:
    """The commands of the first block of code below a heading, without comments, continued lines in one."""
    _, _, rest = page.read_text(encoding="utf-8").partition(f"\n{heading}\n")
    text = re.findall(r"^```\w*\n(.*?)^```$", rest, re.DOTALL | re.MULTILINE)[0]
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [bare for line in lines if (bare := re.sub(r"\s+# .*", "", line).strip())]
