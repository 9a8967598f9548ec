"""Bring a Prefect server to what this repository and this environment say; change nothing that is so already.

python -m deployments.bootstrap            # apply, and read everything back
python -m deployments.bootstrap --dry-run  # only say what differs
python -m deployments.bootstrap --check    # only try what the blocks name and the pool needs
"""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import get_current_settings
from rich.console import Console
from rich.table import Table

from blocks.settings.environment import PlatformName, UnreadableEnvFile
from blocks.settings.failures import PermanentFailure, PipelineFailure
from blocks.settings.saved_blocks import read_blocks
from deployments.resources import automations, blocks, concurrency_limits, deployments, work_pool
from deployments.resources.deployments import DeployFailed
from deployments.resources.diff import Change
from deployments.resources.infrastructure import InfrastructureUnknown, require_infrastructure
from deployments.resources.places import require_places
from deployments.resources.settings import DeploymentSettings, effective_settings


def main() -> None:
    """Print what differs and, unless it is a dry run, apply it; exit 1 if something then still differs."""
    parser = argparse.ArgumentParser(prog="python -m deployments.bootstrap", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="print the differences and change nothing")
    parser.add_argument(
        "--check", action="store_true", help="try what blocks name and the pool needs, and stop"
    )
    options = parser.parse_args()
    if not api_url():
        sys.exit("error: PREFECT_API_URL is not set: start `prefect server start` and point it there")
    try:
        if options.check:
            check(Console())
        else:
            bootstrap(Console(), is_dry=options.dry_run)
    except (PipelineFailure, DeployFailed, UnreadableEnvFile) as failure:
        sys.exit(f"error: {failure}")
    except httpx.ConnectError as failure:
        sys.exit(f"error: no Prefect server answers at {api_url()} (PREFECT_API_URL): {failure}")


def bootstrap(console: Console, is_dry: bool) -> None:
    """Apply every difference, one kind of resource after another: the later ones name the earlier ones."""
    applied = 0
    try:
        notes = require_infrastructure(DeploymentSettings())
    except InfrastructureUnknown as unknown:
        # Whoever deploys from elsewhere than the worker may have no access.
        notes = [f"not checked: {unknown}"]
    for note in notes:
        console.print(f"note: {note}", soft_wrap=True)
    with get_client(sync_client=True) as client:
        for resource, differences in _resources(client).items():
            changes = differences()
            if changes:
                console.print(_table(resource, changes))
            applied += len(changes)
            if is_dry:
                continue
            for change in changes:
                change.apply()
            if left := differences():
                console.print(_table(f"{resource}: still different", left))
                sys.exit(f"error: the server did not keep {len(left)} of the {resource} as they were applied")
    if not applied:
        console.print("no changes")


def check(console: Console) -> None:
    """Try from here what the pool needs and every block of the platform; exit 1 if one does not work."""
    platform, deployment = PlatformName().platform, DeploymentSettings()
    with get_client(sync_client=True) as client:
        settings = effective_settings(read_blocks(client, platform).values)
    failures = []
    try:
        require_places(deployment, settings, api_url())
    except PermanentFailure as failure:
        failures.append(str(failure))
    try:
        for note in require_infrastructure(deployment):
            console.print(f"note: {note}", soft_wrap=True)
    except PermanentFailure as failure:
        failures.append(str(failure))
    for name, block in blocks.platform_blocks(settings, settings).items():
        try:
            block.check()
            console.print(f"{name}/{platform}: works")
        except PipelineFailure as failure:
            failures.append(f"{name}/{platform}: {failure}")
    if failures:
        raise PermanentFailure("\n".join(failures))


def api_url() -> str:
    """The Prefect server's address, from here."""
    return get_current_settings().api.url or ""


def _resources(client: SyncPrefectClient) -> dict[str, Callable[[], list[Change]]]:
    """For each kind of resource a function that finds what differs on the server by now."""
    platform, deployment = PlatformName().platform, DeploymentSettings()
    saved = read_blocks(client, platform)
    settings, own = effective_settings(saved.values), effective_settings(saved.own)
    require_places(deployment, settings, api_url())
    # prefect.yaml and the pool templates can name variables of the process only.
    os.environ.update(deployment.variables(settings))
    return {
        "work pools": partial(work_pool.plan, client, deployment.work_pool),
        "concurrency limits": partial(concurrency_limits.plan, client),
        "blocks": partial(blocks.plan, client, platform, settings, own),
        "deployments": partial(deployments.plan, client),
        "automations": partial(automations.plan, client, platform, settings, deployment),
    }


def _table(title: str, changes: list[Change]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("name")
    table.add_column("differs in")
    for change in changes:
        table.add_row(change.name, change.difference)
    return table


if __name__ == "__main__":
    main()
