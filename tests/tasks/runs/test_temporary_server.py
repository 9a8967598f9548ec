"""Prefect's temporary server: begun before the imports, of no platform's blocks, gone with the run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from blocks.settings.environment import REPOSITORY, TEMPORARY_SERVER
from spark_jobs.engine.local_server import accepts
from tests.support.prometheus_servers import wait_until
from tests.support.receivers import Webhook

# As `python -m flows.daily` does it; then the program waits to be told to end.
PROGRAM = """
import sys
sys.argv, sys.orig_argv = ["-m"], ["python", "-m", sys.argv[1]]
import flows
from prefect.settings import get_current_settings
from tasks.runs.temporary_server import await_temporary_server
await_temporary_server()
print(get_current_settings().api.url, flush=True)
sys.stdin.read()
"""


def begin(module: str, folder: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, module],
        cwd=REPOSITORY,
        env={**os.environ, "PREFECT_API_URL": "", "PREFECT_HOME": str(folder), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def address(program: subprocess.Popen[str]) -> str:
    assert program.stdout
    return program.stdout.readline().strip()


@pytest.mark.parametrize(
    "end", [subprocess.Popen.kill, subprocess.Popen.terminate, lambda program: program.communicate("")]
)
def test_it_serves_the_run_and_ends_with_it(
    tmp_path: Path, end: Callable[[subprocess.Popen[str]], object]
) -> None:
    program = begin("flows.daily", tmp_path)
    try:
        url = address(program)
        assert httpx.get(f"{url}/health", timeout=10).json() is True
        # To register any, the server would import every integration first. One that stays, and is started
        # later in the same home, registers them: there is no memo that says they are.
        assert httpx.post(f"{url}/block_types/filter", json={}, timeout=10).json() == []
        assert not (tmp_path / "memo_store.toml").exists()
        end(program)
        port = urlsplit(url).port
        assert port
        wait_until(lambda: not accepts(port), 30)
    finally:
        program.kill()
        program.wait()


def test_a_server_that_is_configured_is_used(tmp_path: Path, webhook: Webhook) -> None:
    program = begin("flows.daily", tmp_path, PREFECT_API_URL=webhook.url)
    assert address(program) == webhook.url
    program.communicate("")


def test_a_program_that_runs_no_flow_begins_none(tmp_path: Path) -> None:
    program = begin("flows.status", tmp_path)
    assert not address(program).startswith("http")
    program.communicate("")


def test_its_blocks_are_nobodys(tmp_path: Path) -> None:
    """`Settings` does not ask it, even where nothing answers: no laptop's database decides where a run writes."""
    nowhere = "http://127.0.0.1:9/api"
    asked = subprocess.run(
        [sys.executable, "-c", "from blocks.settings.settings import Settings; print(Settings().lake_uri)"],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PREFECT_API_URL": nowhere,
            TEMPORARY_SERVER: nowhere,
            "LAKE_URI": tmp_path.as_uri(),
            "PLATFORM": "production",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert asked.stdout.strip() == tmp_path.as_uri(), asked.stderr
