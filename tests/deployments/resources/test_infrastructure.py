"""What a pool needs outside of Prefect: each thing that is not there is named, with the command that makes it."""

from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto import mock_aws

from blocks.settings.failures import PermanentFailure
from deployments.resources.infrastructure import InfrastructureUnknown, require_infrastructure
from deployments.resources.settings import DeploymentSettings
from tests.support.fake_apis import open_api

DAEMON = {
    "/version": {"ApiVersion": "1.41", "MinAPIVersion": "1.12"},
    "/_ping": "OK",
    "/networks/shop": {"Name": "shop", "Id": "1"},
    "/networks/bridge": {"Name": "bridge", "Id": "2"},
    "/images/ecommerce-pipeline:latest/json": {"Id": "sha256:1"},
    "/distribution/registry.example/shop:7/json": {"Descriptor": {"digest": "sha256:2"}, "Platforms": []},
}


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """No developer's `.env` speaks here."""
    monkeypatch.setitem(DeploymentSettings.model_config, "env_file", None)


def test_a_pool_of_processes_needs_nothing() -> None:
    assert require_infrastructure(DeploymentSettings(work_pool="process")) == []


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        pytest.param({}, None, id="the defaults"),
        pytest.param({"docker_network": "shop"}, None, id="a network that is there"),
        pytest.param({"worker_image": "registry.example/shop:7"}, None, id="an image of a registry"),
        pytest.param(
            {"docker_network": "shops"},
            r"there is no network shops \(DOCKER_NETWORK\): docker network create shops",
            id="no network",
        ),
        pytest.param(
            {"worker_image": "ecommerce-pipeline:7"},
            r"neither this daemon nor a registry has an image ecommerce-pipeline:7 .*make image",
            id="no image",
        ),
    ],
)
def test_docker(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any], missing: str | None) -> None:
    deployment = DeploymentSettings(work_pool="docker", **given)
    with open_api(DAEMON) as daemon:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{daemon}")
        if missing is None:
            assert require_infrastructure(deployment) == []
        else:
            with pytest.raises(PermanentFailure, match=missing):
                require_infrastructure(deployment)
    with pytest.raises(InfrastructureUnknown, match="no Docker daemon answers here"):
        require_infrastructure(deployment)


NAMESPACE = "/api/v1/namespaces/ecommerce-pipeline"
ACCOUNT = f"{NAMESPACE}/serviceaccounts/ecommerce-pipeline"
CLUSTER = {
    NAMESPACE: {"kind": "Namespace", "metadata": {"name": "ecommerce-pipeline"}},
    ACCOUNT: {"kind": "ServiceAccount", "metadata": {"name": "ecommerce-pipeline"}},
}


@pytest.fixture
def kubeconfig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the client looks for its cluster."""
    # Read when the client is imported, so set for both.
    path = tmp_path / "kubeconfig"
    monkeypatch.setenv("KUBECONFIG", str(path))
    monkeypatch.setattr("kubernetes_asyncio.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    return path


def write_kubeconfig(path: Path, address: str) -> None:
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://{address}"}}],
        "users": [{"name": "u", "user": {}}],
    }
    path.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("gone", [set(), {NAMESPACE, ACCOUNT}, {ACCOUNT}])
def test_kubernetes(kubeconfig: Path, gone: set[str]) -> None:
    deployment = DeploymentSettings(work_pool="kubernetes")
    with open_api({path: it for path, it in CLUSTER.items() if path not in gone}) as server:
        write_kubeconfig(kubeconfig, server)
        if not gone:
            assert require_infrastructure(deployment) == []
            return
        with pytest.raises(PermanentFailure, match="kubectl apply -k deployments/kubernetes") as refused:
            require_infrastructure(deployment)
    assert ("no namespace ecommerce-pipeline" in str(refused.value)) == (NAMESPACE in gone)
    assert "no service account ecommerce-pipeline" in str(refused.value)


def test_a_cluster_that_does_not_let_us_look_is_no_proof(kubeconfig: Path) -> None:
    deployment = DeploymentSettings(work_pool="kubernetes")
    with open_api({}, refused=403) as server:
        write_kubeconfig(kubeconfig, server)
        with pytest.raises(InfrastructureUnknown, match="does not let us see its namespace"):
            require_infrastructure(deployment)
    with pytest.raises(InfrastructureUnknown, match="no Kubernetes cluster answers here"):
        require_infrastructure(deployment)
    kubeconfig.unlink()
    with pytest.raises(InfrastructureUnknown, match="point KUBECONFIG at it"):
        require_infrastructure(deployment)


ROLES = {
    "worker_image": "registry.example/shop:7",
    "ecs_execution_role_arn": "arn:aws:iam::123456789012:role/pull",
    "ecs_task_role_arn": "arn:aws:iam::123456789012:role/run",
}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    """An AWS account of moto's."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)


@pytest.mark.usefixtures("account")
@mock_aws
def test_ecs() -> None:
    with pytest.raises(PermanentFailure) as refused:
        require_infrastructure(DeploymentSettings(work_pool="ecs"))
    for word in (
        "ECS_EXECUTION_ROLE_ARN is empty",
        "ECS_TASK_ROLE_ARN is empty",
        "WORKER_IMAGE=ecommerce-pipeline:latest names no registry",
        "no cluster ecommerce-pipeline: aws ecs create-cluster --cluster-name ecommerce-pipeline",
    ):
        assert word in str(refused.value)
    boto3.client("ecs").create_cluster(clusterName="ecommerce-pipeline")
    deployment = DeploymentSettings(work_pool="ecs", **ROLES)
    [note] = require_infrastructure(deployment)
    assert "no queue prefect-ecs-tasks-events" in note
    assert "prefect-aws ecs-worker deploy-events" in note
    boto3.client("sqs").create_queue(QueueName="prefect-ecs-tasks-events")
    assert require_infrastructure(deployment) == []


@pytest.mark.usefixtures("account")
def test_an_account_that_cannot_be_asked_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(InfrastructureUnknown, match="AWS cannot be asked for the cluster ecommerce-pipeline"):
        require_infrastructure(DeploymentSettings(work_pool="ecs", **ROLES))
