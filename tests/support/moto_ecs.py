"""An AWS account of moto's with what the pool `ecs` needs, and a repair of its RunTask."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import boto3
from moto.ecs.models import EC2ContainerServiceBackend
from moto.server import ThreadedMotoServer

CLUSTER = "ecommerce-pipeline"
measure = EC2ContainerServiceBackend._calculate_task_resource_requirements


def _measure(task_definition: Any) -> dict[str, Any]:
    """On Fargate a container need not have memory of its own; moto would add None to a number."""
    for container in task_definition.container_definitions:
        container.setdefault("memory", int(task_definition.memory or 0))
    return measure(task_definition)


@dataclass(frozen=True)
class Account:
    """Where it is (`environment`), and the roles of the pool's tasks (`deployment`)."""

    environment: dict[str, str]
    deployment: dict[str, str]

    def client(self, service: str) -> Any:
        """A boto3 client of the account."""
        return boto3.client(
            service,
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def tasks(self) -> list[dict[str, Any]]:
        """The tasks that have been run in the cluster."""
        ecs = self.client("ecs")
        arns = ecs.list_tasks(cluster=CLUSTER)["taskArns"]
        return ecs.describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"] if arns else []


@contextmanager
def open_account() -> Iterator[Account]:
    """A server with a cluster and two roles."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
    }
    account = Account(environment, {})
    try:
        with patch.object(
            EC2ContainerServiceBackend, "_calculate_task_resource_requirements", staticmethod(_measure)
        ):
            account.client("ecs").create_cluster(clusterName=CLUSTER)
            iam = account.client("iam")
            for variable, name in (("ECS_EXECUTION_ROLE_ARN", "pull"), ("ECS_TASK_ROLE_ARN", "run")):
                role = iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
                account.deployment[variable] = role["Role"]["Arn"]
            yield account
    finally:
        server.stop()
