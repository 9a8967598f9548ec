"""The work pool: Prefect's own template for its kind, with our defaults from `work_pools/<kind>.yaml`."""

import json
from copy import deepcopy
from importlib.resources import files
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.exceptions import ObjectNotFound
from prefect.utilities.templating import apply_values

from deployments.resources.diff import Change
from deployments.resources.settings import FOLDER

# Ships with Prefect: the templates of every kind of worker, so none has to be installed to be deployed to.
WORKERS = files("prefect.server.api").joinpath("collections_data/views/aggregate-worker-metadata.json")


def plan(client: SyncPrefectClient, kind: str) -> list[Change]:
    """The pool named like its kind: create it, or give it the template it should have."""
    template = job_template(kind)
    try:
        pool = client.read_work_pool(kind)
    except ObjectNotFound:
        wanted = WorkPoolCreate(name=kind, type=kind, base_job_template=template)
        return [Change(kind, "new", lambda: client.create_work_pool(wanted))]
    if pool.base_job_template == template:
        return []
    update = WorkPoolUpdate(base_job_template=template)
    return [Change(kind, "job template", lambda: client.update_work_pool(kind, update))]


def job_template(kind: str) -> dict[str, Any]:
    """The base job template of a pool of this kind. Raises ValueError for a variable the kind has not."""
    template = deepcopy(_shipped_template(kind))
    ours, properties = defaults(kind), template["variables"]["properties"]
    for name, value in ours.items():
        if name not in properties:
            raise ValueError(f"work_pools/{kind}.yaml: a {kind} worker has no variable {name!r}")
        properties[name]["default"] = value
    if kind == "kubernetes":
        _harden(template["job_configuration"]["job_manifest"]["spec"])
    required = [name for name in template["variables"].get("required", []) if name not in ours]
    template["variables"]["required"] = required
    return template


def defaults(kind: str) -> dict[str, Any]:
    """Our defaults of the pool's job variables, with `{{ $NAME }}` filled in; empty ones are left out."""
    text = (FOLDER / "work_pools" / f"{kind}.yaml").read_text(encoding="utf-8")
    return {name: value for name, value in apply_values(yaml.safe_load(text), {}).items() if value != ""}


def _harden(job: dict[str, Any]) -> None:
    """What a namespace of the Pod Security Standard `restricted` asks of pods; and what Prefect misplaced."""
    pod = job["template"]["spec"]
    for field in ("completions", "parallelism"):
        job[field] = pod.pop(field)
    pod["securityContext"] = {
        "runAsNonRoot": True,
        # The image's user, by the number that a cluster can check.
        "runAsUser": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    pod["containers"][0]["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


def _shipped_template(kind: str) -> dict[str, Any]:
    for workers in json.loads(WORKERS.read_text(encoding="utf-8")).values():
        if kind in workers:
            return workers[kind]["default_base_job_configuration"]
    raise ValueError(f"Prefect knows no worker of kind {kind!r}")
