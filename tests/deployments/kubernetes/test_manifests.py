"""The manifests, and the Jobs that runs become, by Kubernetes' own schemas; and that they name one another right."""

import asyncio
import uuid
from importlib.metadata import version
from typing import Any

import kubernetes_validate
import pytest
import yaml
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect_kubernetes.settings import KubernetesSettings
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration

from blocks.settings.environment import REPOSITORY
from blocks.settings.settings import EnvironmentSettings
from deployments.resources.settings import DeploymentSettings
from deployments.resources.work_pool import defaults, job_template

FOLDER = REPOSITORY / "deployments" / "kubernetes"
VERSION = "1.34"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
MANIFESTS: list[dict[str, Any]] = [
    manifest
    for file in KUSTOMIZATION["resources"]
    for manifest in yaml.safe_load_all((FOLDER / file).read_text(encoding="utf-8"))
]
BY_NAME = {(each["kind"], each["metadata"]["name"]): each for each in MANIFESTS}


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """What bootstrap puts into the environment for the pool's template."""
    deployment = DeploymentSettings(work_pool="kubernetes", worker_image="registry.example/shop:7")
    for name, value in deployment.variables(EnvironmentSettings()).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", BY_NAME, ids="/".join)
def test_a_manifest_is_valid(name: tuple[str, str]) -> None:
    kubernetes_validate.validate(BY_NAME[name], VERSION, strict=True)


@pytest.fixture
def job(variables: None) -> dict[str, Any]:
    """The Job that the worker makes of a run."""
    made = KubernetesWorkerJobConfiguration.from_template_and_values(
        job_template("kubernetes"), {}, client=PrefectClient("http://127.0.0.1:9/api")
    )
    configuration = asyncio.run(made)
    run = FlowRun(id=uuid.uuid4(), flow_id=uuid.uuid4(), name="daily-2024-01-15")
    configuration.prepare_for_flow_run(run)
    return configuration.job_manifest


def test_the_job_of_a_run_is_valid_and_as_the_namespace_wants_it(job: dict[str, Any]) -> None:
    kubernetes_validate.validate(job, VERSION, strict=True)
    namespace = BY_NAME["Namespace", "ecommerce-pipeline"]
    assert namespace["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}
    assert job["metadata"]["namespace"] == "ecommerce-pipeline"
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["image"] == "registry.example/shop:7"
    assert container["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
    assert_restricted(pod)
    assert ("ServiceAccount", pod["serviceAccountName"]) in BY_NAME
    assert (job["spec"]["completions"], job["spec"]["parallelism"], job["spec"]["backoffLimit"]) == (1, 1, 0)


def assert_restricted(pod: dict[str, Any]) -> None:
    """The Pod Security Standard `restricted`, as far as these pods touch it."""
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert all(set(volume) <= {"name", "emptyDir"} for volume in pod.get("volumes", []))


def test_prefects_own_template_would_be_refused(job: dict[str, Any]) -> None:
    """Else `_harden` could go."""
    pod = job["spec"]["template"]["spec"]
    misplaced = {"parallelism": 1, **pod}
    template = {**job["spec"]["template"], "spec": misplaced}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**job, "spec": {**job["spec"], "template": template}}, VERSION, strict=True
        )


def test_the_worker_is_of_the_role_that_its_work_needs_and_holds_no_secret() -> None:
    spec = BY_NAME["Deployment", "prefect-worker"]["spec"]["template"]["spec"]
    assert_restricted(spec)
    [container] = spec["containers"]
    assert container["image"] == KUSTOMIZATION["images"][0]["name"]
    assert container["command"][-2:] == ["kubernetes", "--with-healthcheck"]
    assert {name for name in container if name.endswith("Probe")} == {
        "startupProbe",
        "livenessProbe",
        "readinessProbe",
    }
    secrets = [each["valueFrom"]["secretKeyRef"]["name"] for each in container["env"] if "valueFrom" in each]
    assert secrets == ["prefect-api"] * 2
    values = {each["name"]: each["value"] for each in container["env"] if "value" in each}
    assert values["PREFECT_INTEGRATIONS_KUBERNETES_WORKER_API_AUTH_STRING_SECRET_NAME"] == "prefect-api"
    binding = BY_NAME["RoleBinding", "prefect-worker"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": spec["serviceAccountName"]}]
    role = BY_NAME["Role", binding["roleRef"]["name"]]
    allowed = {
        (resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]
    }
    assert {("jobs", "create"), ("jobs", "delete"), ("pods", "watch"), ("pods/log", "get")} <= allowed
    assert not {"secrets", "*"} & {resource for resource, _ in allowed}


def test_the_worker_reads_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """The names of the variables are prefect-kubernetes' own: a misspelt one would be ignored."""
    for each in BY_NAME["Deployment", "prefect-worker"]["spec"]["template"]["spec"]["containers"][0]["env"]:
        if "value" in each:
            monkeypatch.setenv(each["name"], each["value"])
    settings = KubernetesSettings()
    assert settings.worker.api_auth_string_secret_name == "prefect-api"
    assert settings.worker.api_auth_string_secret_key == "auth-string"
    assert settings.observer.namespaces == {"ecommerce-pipeline"}


def test_everything_is_in_the_namespace_and_in_the_kustomization(variables: None) -> None:
    assert KUSTOMIZATION["namespace"] == defaults("kubernetes")["namespace"]
    assert {path.name for path in FOLDER.iterdir()} == {
        *KUSTOMIZATION["resources"],
        "kustomization.yaml",
        "helm-values.yaml",
    }
    policy = BY_NAME["NetworkPolicy", "only-out"]["spec"]
    assert (policy["podSelector"], policy["ingress"]) == ({}, [])
    assert policy["policyTypes"] == ["Ingress", "Egress"]


def test_the_charts_values_go_to_the_same_pool_and_secret() -> None:
    worker = yaml.safe_load((FOLDER / "helm-values.yaml").read_text(encoding="utf-8"))["worker"]
    assert (worker["config"]["workPool"], worker["config"]["type"]) == ("kubernetes", "kubernetes")
    assert worker["selfHostedServerApiConfig"]["basicAuth"]["existingSecret"] == "prefect-api"
    assert worker["image"]["prefectTag"] == f"{version('prefect')}-python3.11-kubernetes"
