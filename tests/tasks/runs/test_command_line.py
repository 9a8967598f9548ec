"""`python -m flows.daily` when something is wrong: one clear line, no traceback, nothing touched."""

import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_API_URL
from psycopg2.extensions import parse_dsn

from blocks.settings.environment import REPOSITORY
from blocks.settings.fields import ROUTES
from tasks.runs.console import _matters
from tests.support.platforms import Platform
from tests.support.rows import order, put

SECRET = "hunter2secret"
DS = "2024-03-04"


Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run(prefect_server: None) -> Run:
    """A function (*arguments, **environment) that calls the flow as a person does who has a server up."""
    server = {"PREFECT_API_URL": PREFECT_API_URL.value()}
    # A developer's own channels, in .env, hear nothing of the tests.
    silence = {"ALERT_ROUTES": json.dumps({severity: [] for severity in ROUTES})}

    def called(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "flows.daily", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **server, **silence, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return called


# As `python -m flows.daily` does it, with a run that says whether Python looks for garbage, and not where.
GARBAGE = """
import sys
sys.argv, sys.orig_argv = ["-m"], ["python", "-m", "flows.daily"]
import flows, gc
print(gc.isenabled())
from tasks.runs.command_line import run_checked
run_checked(lambda: None, lambda: print(gc.isenabled(), gc.get_freeze_count() > 100_000))
"""


def test_no_search_for_garbage_goes_through_what_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GARBAGE],
        cwd=REPOSITORY,
        # Of a configured server, so that none is started.
        env=os.environ | {"PREFECT_API_URL": "http://127.0.0.1:9/api"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.split() == ["False", "True", "True"]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def unused_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def dsn_with_wrong_password(platform: Platform, port: int) -> dict[str, str]:
    return {"SHOP_DSN": platform.dsn.replace(f":{parse_dsn(platform.dsn)['password']}@", f":{SECRET}@")}


def dsn_of_nobody(platform: Platform, port: int) -> dict[str, str]:
    return {"SHOP_DSN": f"postgresql://shop:{SECRET}@127.0.0.1:{port}/shop"}


def without_a_table(platform: Platform, port: int) -> dict[str, str]:
    platform.execute("drop table customers")
    return {}


def without_a_column(platform: Platform, port: int) -> dict[str, str]:
    platform.execute("alter table orders drop column status")
    return {}


def unwritable_lake(platform: Platform, port: int) -> dict[str, str]:
    return {"LAKE_URI": str(platform.folder / "file" / "lake")}


def unknown_time_zone(platform: Platform, port: int) -> dict[str, str]:
    return {"SHOP_TIMEZONE": "Atlantis"}


def nothing(platform: Platform, port: int) -> dict[str, str]:
    return {}


@pytest.mark.parametrize(
    ("ds", "wrong", "parts"),
    [
        pytest.param("03/04/2024", nothing, ["'03/04/2024' is not a date", "YYYY-MM-DD"], id="bad date"),
        pytest.param(
            DS, dsn_of_nobody, ["cannot be reached", "start it, or correct SHOP_DSN"], id="nobody there"
        ),
        pytest.param(
            DS, dsn_with_wrong_password, ["authentication failed", "correct SHOP_DSN"], id="wrong password"
        ),
        pytest.param(DS, without_a_table, ["table customers is missing", "create it"], id="missing table"),
        pytest.param(
            DS, without_a_column, ["orders.status is gone", "Restore the column"], id="broken contract"
        ),
        pytest.param(
            DS, unwritable_lake, ["LAKE_URI: cannot write below", "correct it or its rights"], id="lake"
        ),
        pytest.param(
            DS, unknown_time_zone, ["SHOP_TIMEZONE", "correct the environment or .env"], id="configuration"
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    run: Run,
    platform: Platform,
    unused_port: int,
    ds: str,
    wrong: Callable[[Any, int], dict[str, str]],
    parts: list[str],
) -> None:
    put(platform, "orders", order(1))
    (platform.folder / "file").write_text("not a folder")
    platform.warehouse.write_bytes(b"the live warehouse")
    environment = wrong(platform, unused_port)
    before = snapshot(platform.folder)

    outcome = run(ds, **environment)

    assert outcome.returncode != 0
    errors = [line for line in outcome.stderr.splitlines() if "error:" in line]
    assert len(errors) == 1, outcome.stderr
    assert all(part in errors[0] for part in parts), outcome.stderr
    said = outcome.stdout + outcome.stderr
    assert "Traceback" not in said
    assert SECRET not in said
    assert parse_dsn(platform.dsn)["password"] not in said
    # argparse shows the usage before a bad argument; everything else is the one line.
    assert [line for line in outcome.stderr.splitlines() if not line.startswith(("usage:", " "))] == errors
    assert snapshot(platform.folder) == before


def test_help_says_what_the_flow_does(run: Run) -> None:
    outcome = run("--help")
    assert outcome.returncode == 0
    assert "Bring the marts up to the end of business day" in outcome.stdout
    assert "YYYY-MM-DD" in outcome.stdout


@pytest.mark.parametrize(
    ("logger", "level", "is_shown"),
    [
        ("prefect.flow_runs", logging.INFO, True),
        ("prefect.task_runs", logging.INFO, False),
        ("prefect.task_runs", logging.WARNING, True),
        ("kafka.coordinator", logging.WARNING, False),
        ("kafka.coordinator", logging.ERROR, True),
    ],
)
def test_a_terminal_shows_progress_and_what_is_wrong_and_not_what_is_tried_again(
    logger: str, level: int, is_shown: bool
) -> None:
    record = logging.LogRecord(logger, level, __file__, 1, "words", (), None)
    assert _matters(record) == is_shown
