"""Prefect's server is cut off, falls silent or is slow in mid-run: the run ends in time, on record and told."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from prefect.settings import PREFECT_API_URL

from blocks.settings.environment import REPOSITORY
from tests.support.platforms import Platform
from tests.support.proxy import Proxy, open_proxy
from tests.support.receivers import Webhook
from tests.support.rows import customer, put

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500), pytest.mark.usefixtures("prefect_server")]

LIMIT_SECONDS = 400

RUN = """
import sys
from prefect import flow
from flows.subflows.notify import notify
from tasks.ingest.postgres import extract_table
from tasks.runs.recorded_run import recorded_run
from tests.support.platforms import here
from tests.support.rows import DAY

@flow(name="extract-of-test")
def extract():
    extract_table("customers", DAY, *here())

@flow(name="test-server-faults")
def run():
    with recorded_run("daily-ecommerce-pipeline", DAY, *here(), notify):
        print("begun", flush=True)
        sys.stdin.readline()
        extract()

run()
"""


def begin(api_url: str) -> subprocess.Popen[str]:
    """Begin the run in a process of its own; it waits for a line of input before its extract."""
    child = subprocess.Popen(
        [sys.executable, "-c", RUN],
        cwd=REPOSITORY,
        env={
            **os.environ,
            "PREFECT_API_URL": api_url,
            # A minute, and five tries more, by default.
            "PREFECT_API_REQUEST_TIMEOUT": "1",
            "PREFECT_CLIENT_MAX_RETRIES": "1",
            "PREFECT_CLIENT_RETRY_EXTRA_CODES": "",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout
    line = child.stdout.readline()
    while line != "begun\n":
        assert line, "it has not begun"
        line = child.stdout.readline()
    return child


@pytest.mark.parametrize("fault", [Proxy.end, Proxy.fall_silent], ids=["cut", "silent"])
def test_a_run_whose_server_is_gone_ends_on_record_and_told_and_the_next_is_whole(
    platform: Platform, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, fault: Callable[[Proxy], None]
) -> None:
    put(platform, "customers", *(customer(number) for number in range(1, 11)))
    monkeypatch.setenv("SLACK_WEBHOOK_URL", webhook.url)
    server = PREFECT_API_URL.value()
    assert server
    with open_proxy(server) as proxy:
        run = begin(f"{proxy.url}/api")
        fault(proxy)
        said = run.communicate("go on\n", timeout=LIMIT_SECONDS)[0]
    assert run.returncode == 1, said
    records = platform.lake.table("ops.pipeline_runs").to_pyarrow_table().sort_by("recorded_at").to_pylist()
    assert [record["status"] for record in records] == ["running", "failed"]
    assert len(webhook.requests) == 1, said

    again = begin(server)
    said = again.communicate("go on\n", timeout=LIMIT_SECONDS)[0]
    assert again.returncode == 0, said
    assert platform.lake.table("bronze.customers").to_pyarrow_table().num_rows == 10


def test_a_slow_server_only_takes_longer(platform: Platform) -> None:
    put(platform, "customers", *(customer(number) for number in range(1, 11)))
    server = PREFECT_API_URL.value()
    assert server
    with open_proxy(server, delay_seconds=0.3) as proxy:
        run = begin(f"{proxy.url}/api")
        said = run.communicate("go on\n", timeout=LIMIT_SECONDS)[0]
    assert run.returncode == 0, said
    records = platform.lake.table("ops.pipeline_runs").to_pyarrow_table().sort_by("recorded_at").to_pylist()
    assert [record["status"] for record in records] == ["running", "completed"]
    assert platform.lake.table("bronze.customers").to_pyarrow_table().num_rows == 10
