"""What a pool needs outside of Prefect: image, network, namespace, cluster. Asked from here, never made."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import boto3
import docker
import yaml
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from docker.errors import APIError, DockerException, NotFound

from blocks.settings.failures import PermanentFailure
from deployments.resources.settings import FOLDER, DeploymentSettings

TIMEOUT_SECONDS = 10
AWS = Config(connect_timeout=TIMEOUT_SECONDS, read_timeout=TIMEOUT_SECONDS, retries={"total_max_attempts": 2})
# prefect-aws' own default name.
EVENTS_QUEUE = "prefect-ecs-tasks-events"


class InfrastructureUnknown(PermanentFailure):
    """Nobody could be asked from here; the message says who, and why not."""


def require_infrastructure(deployment: DeploymentSettings) -> list[str]:
    """Raise PermanentFailure for what is not there; returns notes on what a pool does better with.

    Raises InfrastructureUnknown if Docker, the cluster or the account does not answer here.
    """
    checks = {"docker": _docker, "kubernetes": _kubernetes, "ecs": _ecs}
    if deployment.work_pool not in checks:
        return []
    missing, notes = checks[deployment.work_pool](deployment)
    if missing:
        raise PermanentFailure(f"WORK_POOL is {deployment.work_pool}, and " + "; ".join(missing))
    return notes


Found = tuple[list[str], list[str]]
"""What is missing, and notes."""


def _docker(deployment: DeploymentSettings) -> Found:
    try:
        client = docker.from_env(timeout=TIMEOUT_SECONDS)
        client.ping()
    except DockerException as error:
        raise InfrastructureUnknown(
            f"no Docker daemon answers here ({error}); run this where the worker will run, or set DOCKER_HOST"
        ) from None
    return list(_missing_of_docker(client, deployment)), []


def _missing_of_docker(client: docker.DockerClient, deployment: DeploymentSettings) -> Iterator[str]:
    try:
        client.networks.get(deployment.docker_network)
    except NotFound:
        yield (
            f"there is no network {deployment.docker_network} (DOCKER_NETWORK): "
            f"docker network create {deployment.docker_network}"
        )
    image = deployment.worker_image
    try:
        client.images.get(image)
    except NotFound:
        try:
            client.images.get_registry_data(image)
        except APIError:
            yield (
                f"neither this daemon nor a registry has an image {image} (WORKER_IMAGE): "
                "make image, or docker login, or name another"
            )


def _kubernetes(deployment: DeploymentSettings) -> Found:
    try:
        from kubernetes_asyncio.config import ConfigException
    except ImportError:
        raise InfrastructureUnknown(
            "the cluster cannot be asked: make worker KIND=kubernetes installs its client"
        ) from None
    try:
        return asyncio.run(asyncio.wait_for(_of_cluster(), TIMEOUT_SECONDS)), []
    except (ConfigException, OSError, TimeoutError) as error:
        raise InfrastructureUnknown(
            f"no Kubernetes cluster answers here ({error or 'timeout'}); point KUBECONFIG at it"
        ) from None


async def _of_cluster() -> list[str]:
    from kubernetes_asyncio import client, config
    from kubernetes_asyncio.client.exceptions import ApiException

    wanted = _defaults("kubernetes")
    namespace, account = wanted["namespace"], wanted["service_account_name"]
    try:
        config.load_incluster_config()
    except config.ConfigException:
        await config.load_kube_config()
    missing = []
    async with client.ApiClient() as connection:
        core = client.CoreV1Api(connection)
        for kind, name, read in (
            ("namespace", namespace, partial(core.read_namespace, namespace)),
            (
                "service account",
                account,
                partial(core.read_namespaced_service_account, account, namespace),
            ),
        ):
            try:
                await read()
            except ApiException as error:
                if error.status != 404:
                    raise InfrastructureUnknown(
                        f"the cluster does not let us see its {kind} {name}: {error.status} {error.reason}"
                    ) from None
                missing.append(f"there is no {kind} {name}: kubectl apply -k deployments/kubernetes")
    return missing


def _ecs(deployment: DeploymentSettings) -> Found:
    cluster = _defaults("ecs")["cluster"]
    missing = [
        f"{name} is empty: a Fargate task needs the role to {use}"
        for name, use, role in (
            ("ECS_EXECUTION_ROLE_ARN", "pull its image and write logs", deployment.ecs_execution_role_arn),
            ("ECS_TASK_ROLE_ARN", "reach the lake", deployment.ecs_task_role_arn),
        )
        if not role
    ]
    if "/" not in deployment.worker_image:
        missing.append(
            f"WORKER_IMAGE={deployment.worker_image} names no registry that Fargate could pull from: "
            "push it, and name it with its registry"
        )
    notes: list[str] = []
    try:
        found = boto3.client("ecs", config=AWS).describe_clusters(clusters=[cluster])["clusters"]
        if not any(each["status"] == "ACTIVE" for each in found):
            missing.append(f"there is no cluster {cluster}: aws ecs create-cluster --cluster-name {cluster}")
    except (BotoCoreError, ClientError) as error:
        if missing:
            return missing, notes
        raise InfrastructureUnknown(f"AWS cannot be asked for the cluster {cluster}: {error}") from None
    try:
        boto3.client("sqs", config=AWS).get_queue_url(QueueName=EVENTS_QUEUE)
    except (BotoCoreError, ClientError):
        notes.append(
            f"there is no queue {EVENTS_QUEUE}, so runs that crash are not told at once: "
            "prefect-aws ecs-worker deploy-events (docs/deploy.md)"
        )
    return missing, notes


def _defaults(kind: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "work_pools" / f"{kind}.yaml").read_text(encoding="utf-8"))
