"""The pool `ecs`: what Prefect's own worker registers and runs, in an account of moto's."""

import asyncio
import uuid

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect_aws.workers import ECSWorker
from prefect_aws.workers.ecs_worker import ECSJobConfiguration

from blocks.settings.settings import EnvironmentSettings
from deployments.resources.settings import DeploymentSettings
from deployments.resources.work_pool import job_template
from tests.support.moto_ecs import open_account


@pytest.mark.usefixtures("prefect_server")
def test_the_task_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    with open_account() as account:
        for name, value in account.environment.items():
            monkeypatch.setenv(name, value)
        roles = {name.lower(): arn for name, arn in account.deployment.items()}
        deployment = DeploymentSettings(work_pool="ecs", worker_image="registry.example/shop:7", **roles)
        for name, value in deployment.variables(EnvironmentSettings()).items():
            monkeypatch.setenv(name, value)
        run = FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="daily-2024-01-15")

        async def start() -> str:
            configuration = await ECSJobConfiguration.from_template_and_values(
                job_template("ecs"), {}, client=PrefectClient("http://127.0.0.1:9/api")
            )
            configuration.prepare_for_flow_run(run)
            return (await ECSWorker("ecs").run(run, configuration)).identifier

        identifier = asyncio.run(start())
        [task] = account.tasks()
        definition = account.client("ecs").describe_task_definition(taskDefinition=task["taskDefinitionArn"])
    assert task["taskArn"] in identifier
    registered = definition["taskDefinition"]
    assert (registered["cpu"], registered["memory"]) == ("2048", "4096")
    assert registered["requiresCompatibilities"] == ["FARGATE"]
    assert registered["executionRoleArn"] == roles["ecs_execution_role_arn"]
    [container] = registered["containerDefinitions"]
    assert container["image"] == "registry.example/shop:7"
    assert container["logConfiguration"]["logDriver"] == "awslogs"
    overrides = task["overrides"]
    assert overrides["taskRoleArn"] == roles["ecs_task_role_arn"]
    [given] = overrides["containerOverrides"]
    assert given["command"] == ["prefect", "flow-run", "execute"]
    environment = {each["name"]: each["value"] for each in given["environment"]}
    assert environment["PREFECT__FLOW_RUN_ID"] == str(run.id)
    assert environment["PIPELINE_HOME"] == "/opt/ecommerce-pipeline"
    assert environment["PREFECT_HOME"] == "/home/pipeline/.prefect"
