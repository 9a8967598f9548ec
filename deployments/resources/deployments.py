"""The deployments of prefect.yaml: what it says, what the server has, and `prefect deploy` between them."""

import subprocess
import sys
from contextlib import suppress
from functools import cache, partial
from typing import Any
from uuid import UUID

import yaml
from prefect import Flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.responses import DeploymentResponse
from prefect.exceptions import ObjectNotFound
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.templating import apply_values

from blocks.settings.environment import REPOSITORY
from deployments.resources.diff import Change, differing

DEPLOY_TIMEOUT_SECONDS = 600


class DeployFailed(Exception):
    """`prefect deploy` refused prefect.yaml; the message is its own."""


def plan(client: SyncPrefectClient) -> list[Change]:
    """Deployments to create or update. All are applied by one `prefect deploy --all`, through the first."""
    changes: list[Change] = []
    for entry in entries():
        name = full_name(entry)
        try:
            difference = ", ".join(differing(wanted(entry), actual(client.read_deployment_by_name(name))))
        except ObjectNotFound:
            difference = "new"
        if difference:
            changes.append(Change(name, difference, partial(_apply, client, entry, is_first=not changes)))
    return changes


def entries() -> list[dict[str, Any]]:
    """The entries of prefect.yaml, with `{{ $NAME }}` filled in from the process's environment."""
    return apply_values(_prefect_yaml()["deployments"], {})


def deployment_ids(client: SyncPrefectClient, name: str) -> list[UUID]:
    """The ids of the entries named `name` that the server has by now, in a fixed order."""
    found = []
    for entry in entries():
        if entry["name"] == name:
            with suppress(ObjectNotFound):
                found.append(client.read_deployment_by_name(full_name(entry)).id)
    return sorted(found)


def full_name(entry: dict[str, Any]) -> str:
    """`flow/deployment`, as the Prefect commands take it."""
    return f"{_flow(entry['entrypoint']).name}/{entry['name']}"


def wanted(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of prefect.yaml, in the terms of `actual`."""
    return {
        "entrypoint": entry["entrypoint"],
        "parameters": entry.get("parameters", {}),
        "parameter_schema": parameter_schema(_flow(entry["entrypoint"])).properties,
        "pull": _prefect_yaml()["pull"],
        "schedules": {
            # What a variable says is text.
            s["slug"]: (s["cron"], s["timezone"], s.get("active", "true") == "true", s.get("parameters", {}))
            for s in entry["schedules"]
        },
        "work_pool": entry["work_pool"]["name"],
        "job_variables": entry["work_pool"].get("job_variables", {}),
        "concurrency_limit": tuple(entry["concurrency_limit"].values()),
    }


def actual(deployment: DeploymentResponse) -> dict[str, Any]:
    """A deployment of the server, in the terms of `wanted`."""
    limit, options = deployment.global_concurrency_limit, deployment.concurrency_options
    return {
        "entrypoint": deployment.entrypoint,
        "parameters": deployment.parameters,
        "parameter_schema": (deployment.parameter_openapi_schema or {}).get("properties"),
        "pull": deployment.pull_steps,
        "schedules": {
            s.slug: (
                getattr(s.schedule, "cron", None),
                getattr(s.schedule, "timezone", None),
                s.active,
                s.parameters,
            )
            for s in deployment.schedules
        },
        "work_pool": deployment.work_pool_name,
        "job_variables": deployment.job_variables,
        "concurrency_limit": (limit and limit.limit, options and options.collision_strategy.value),
    }


def deploy_all() -> None:
    """`prefect deploy --all`. Raises DeployFailed."""
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=DEPLOY_TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode:
        raise DeployFailed(f"prefect deploy ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")


def _prefect_yaml() -> dict[str, Any]:
    return yaml.safe_load((REPOSITORY / "prefect.yaml").read_text(encoding="utf-8"))


@cache
def _flow(entrypoint: str) -> Flow:
    return load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)


def _apply(client: SyncPrefectClient, entry: dict[str, Any], is_first: bool) -> None:
    """Deploy all entries with the first, then take from this one the schedules that only the server has.

    `prefect deploy` leaves those that somebody has added.
    """
    if is_first:
        deploy_all()
    deployment = client.read_deployment_by_name(full_name(entry))
    kept = wanted(entry)["schedules"]
    for schedule in deployment.schedules:
        if schedule.slug not in kept:
            client.delete_deployment_schedule(deployment.id, schedule.id)
