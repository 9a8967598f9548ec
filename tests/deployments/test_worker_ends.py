"""A worker that is ended alone: by SIGTERM it ends its run too and tells nobody, by SIGKILL the run goes on."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.workers.process import ProcessWorker

from blocks.settings.environment import REPOSITORY
from blocks.settings.settings import EnvironmentSettings
from deployments.resources import automations, rules
from deployments.resources.settings import DAILY, DeploymentSettings
from tests.deployments.conftest import prefect_server_process, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Prefect sends a heartbeat every 30 seconds at most: three of these are more.
HEARTBEAT_SECONDS = 12
RUN = f"""
import time
from pathlib import Path
from prefect import flow, get_run_logger
from tasks.runs.console import outlive_reader

@flow(name="{DAILY}")
def run():
    outlive_reader()
    for second in range(20):
        get_run_logger().info("second %s", second)
        Path("second").write_text(str(second))
        time.sleep(1)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the flow's code lies, and the file that says how far it is."""
    made = tmp_path_factory.mktemp("code")
    (made / "run.py").write_text(RUN)
    return made


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[SyncPrefectClient]:
    """A client of a server with the automations of `production`, and a deployment of the flow."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        prefect_server_process(folder) as environment,
        SyncPrefectClient(environment["PREFECT_API_URL"]) as client,
    ):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(rules, "HEARTBEAT_SECONDS", HEARTBEAT_SECONDS)
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(WorkPoolCreate(name="process", type="process", base_job_template=template))
        client.create_deployment(
            client.create_flow_from_name(DAILY),
            name="production",
            work_pool_name="process",
            path=str(folder),
            entrypoint="run.py:run",
            job_variables={
                "working_dir": str(folder),
                "env": {"PYTHONPATH": str(REPOSITORY), "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30"},
            },
        )
        for change in automations.plan(client, "production", EnvironmentSettings(), DeploymentSettings()):
            change.apply()
        yield client


@pytest.mark.parametrize(
    ("how", "end"),
    # Missed by the server after three heartbeats.
    [
        pytest.param(signal.SIGTERM, "Crashed", id="SIGTERM"),
        pytest.param(signal.SIGKILL, "Completed", id="SIGKILL"),
    ],
)
def test_a_run_whose_worker_ends_comes_to_its_end(
    client: SyncPrefectClient, folder: Path, how: signal.Signals, end: str
) -> None:
    # Prefect's worker ends by SIGINT; if this run of the tests is in a shell's background, that is ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    (folder / "second").unlink(missing_ok=True)
    worker = subprocess.Popen(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", "process"],
        env={**os.environ, "PREFECT_WORKER_QUERY_SECONDS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        run = client.create_flow_run_from_deployment(client.read_deployment_by_name(f"{DAILY}/production").id)
        wait_for(lambda: (folder / "second").exists(), 300, "it has not begun")
        worker.send_signal(how)
        worker.wait(60)
        wait_for(lambda: client.read_flow_run(run.id).state_name == end, 240, f"it is not {end}")
    finally:
        worker.kill()
