"""datacontract-cli, which lints and tests Open Data Contracts, in a virtual environment of its own.

It needs other versions of what the pipeline is locked to (pandas 3), so the two cannot share one.
"""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import yaml
from filelock import FileLock, Timeout

from blocks.settings.environment import REPOSITORY

REQUIREMENTS = Path(__file__).with_name("datacontract-requirements.txt")
HOME = REPOSITORY / "data" / "datacontract-cli"
INSTALL_SECONDS = 600
COMMAND_SECONDS = 120
# Nothing listens there. The tool has no telemetry; were it to get some, or to fetch a schema, it would not work.
NOWHERE = "http://127.0.0.1:9"


class DataContractUnavailable(Exception):
    """The tool could not be installed; the message says what was printed last."""


@dataclass(frozen=True)
class Finding:
    """What one check has found; `result` is passed, warning, failed or error."""

    result: str
    column: str | None
    """None of a check on the file."""
    kind: str
    reason: str


@dataclass(frozen=True)
class DataContractCli:
    """The installed tool, which leaves its files in `folder`."""

    program: Path
    folder: Path

    def lint(self, contract: Path) -> list[Finding]:
        """The findings on a contract's file."""
        return self._run("lint", contract, {})

    def test(self, contract: Path, dsn: str) -> list[Finding]:
        """The findings on a contract's table in a PostgreSQL, which a copy of the contract names."""
        server = urlsplit(dsn)
        document = yaml.safe_load(contract.read_text(encoding="utf-8"))
        document["servers"] = [
            {
                "server": "shop",
                "type": "postgres",
                "host": server.hostname,
                "port": server.port,
                "database": server.path.lstrip("/"),
                "schema": "public",
            }
        ]
        copy = self.folder / contract.name
        copy.write_text(yaml.safe_dump(document), encoding="utf-8")
        return self._run(
            "test",
            copy,
            {
                "DATACONTRACT_POSTGRES_USERNAME": str(server.username),
                "DATACONTRACT_POSTGRES_PASSWORD": str(server.password),
            },
        )

    def _run(self, command: str, contract: Path, credentials: dict[str, str]) -> list[Finding]:
        output = self.folder / f"{command}.json"
        output.unlink(missing_ok=True)
        ended = subprocess.run(
            [self.program, command, contract, "--output", output, "--output-format", "json"],
            # Not the repository: the tool reads the `.env` of the folder that it is started in.
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE} | credentials,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert output.exists(), ended.stdout
        findings = [
            Finding(each["result"], each["field"], each["type"], each["reason"] or "")
            for each in json.loads(output.read_text(encoding="utf-8"))["checks"]
        ]
        is_refused = any(each.result in ("failed", "error") for each in findings)
        assert bool(ended.returncode) == is_refused, ended.stdout
        return findings


def install(home: Path = HOME, requirements: Path = REQUIREMENTS) -> Path:
    """Install the tool in `home`, unless it is there as required; returns its program.

    One process does it, others wait. Raises DataContractUnavailable.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    # Python and place too: an environment outlives neither a new Python nor a move.
    wanted = hashlib.sha256(f"{sys.version} {home}\n{requirements.read_text()}".encode()).hexdigest()
    marker = home / "installed"
    try:
        with FileLock(home.with_suffix(".lock"), timeout=INSTALL_SECONDS):
            if not marker.exists() or marker.read_text() != wanted:
                _run_or_raise([sys.executable, "-m", "venv", "--clear", str(home)])
                pip = [str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
                _run_or_raise(
                    [*pip, "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(requirements)]
                )
                marker.write_text(wanted)
    except Timeout:
        raise DataContractUnavailable(
            f"another process has been installing it for {INSTALL_SECONDS} s"
        ) from None
    return home / "bin" / "datacontract"


def _run_or_raise(command: list[str]) -> None:
    try:
        ended = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise DataContractUnavailable(f"its installation took over {INSTALL_SECONDS} s") from None
    if ended.returncode:
        raise DataContractUnavailable(f"datacontract-cli cannot be installed: {ended.stdout[-500:].strip()}")
