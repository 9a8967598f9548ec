"""The pool `ecs`, whole but for Amazon: what Prefect's worker has run there is run in the image, on Docker."""

import subprocess
from collections.abc import Iterator

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentUpdate, WorkPoolCreate

from blocks.settings.settings import EnvironmentSettings
from deployments.resources.settings import DeploymentSettings
from deployments.resources.work_pool import job_template
from tests.containers.engine import Engine
from tests.containers.reader import Reader
from tests.deployments.conftest import wait_for
from tests.support.moto_ecs import Account, open_account

DAILY = "daily-ecommerce-pipeline/production"


@pytest.fixture
def account() -> Iterator[Account]:
    """An AWS account of moto's."""
    with open_account() as opened:
        yield opened


def test_what_ecs_is_told_to_run_runs(
    followed: Reader, engine: Engine, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    roles = {name.lower(): arn for name, arn in account.deployment.items()}
    deployment = DeploymentSettings(work_pool="ecs", **roles)
    for name, value in deployment.variables(EnvironmentSettings()).items():
        monkeypatch.setenv(name, value)
    with SyncPrefectClient("http://127.0.0.1:4200/api") as client:
        client.create_work_pool(WorkPoolCreate(name="ecs", type="ecs", base_job_template=job_template("ecs")))
        daily = client.read_deployment_by_name(DAILY)
        client.update_deployment(daily.id, DeploymentUpdate(work_pool_name="ecs"))
        run = client.create_flow_run_from_deployment(daily.id, parameters={"ds": "2024-01-15"})
        worker = subprocess.Popen(
            [".venv/bin/prefect", "worker", "start", "--pool", "ecs"],
            cwd=followed.folder,
            env={**followed.environment, **account.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_for(lambda: bool(account.tasks()), 300, "no task has been run")
        finally:
            worker.terminate()
            worker.wait(120)
        [task] = account.tasks()
        [given] = task["overrides"]["containerOverrides"]
        environment = [f"--env={each['name']}={each['value']}" for each in given["environment"]]
        assert f"--env=PREFECT__FLOW_RUN_ID={run.id}" in environment
        engine.run(
            *("run", "--rm", "--network", "host", *environment),
            *("--volume", "ecommerce-pipeline-data:/opt/ecommerce-pipeline/data"),
            *("ecommerce-pipeline:latest", *given["command"]),
        )
        assert client.read_flow_run(run.id).state_name == "Completed"
        client.update_deployment(daily.id, DeploymentUpdate(work_pool_name="docker"))
