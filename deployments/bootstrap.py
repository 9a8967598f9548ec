"""Bring a Prefect server to what this repository and this environment say; change nothing that is so already.

python -m deployments.bootstrap            # apply, and read everything back
python -m deployments.bootstrap --dry-run  # only say what differs
python -m deployments.bootstrap --check    # only try to reach what the blocks name
"""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.settings import get_current_settings
from rich.console import Console
from rich.table import Table

from blocks.failures import PermanentFailure, PipelineFailure
from blocks.settings.environment import PlatformName
from deployments.resources import automations, work_pool
from deployments.resources import blocks as saved_blocks
from deployments.resources import concurrency_limits as limits
from deployments.resources import deployments as flow_deployments
from deployments.resources.deployments import DeployFailed
from deployments.resources.diff import Change
from deployments.settings import DeploymentSettings, effective_settings


def main() -> None:
    """Say what differs and, unless it is a dry run, settle it; exit 1 if something then still differs."""
    parser = argparse.ArgumentParser(prog="python -m deployments.bootstrap", description=__doc__)
    parser.add_argument("--dry-run", action="store_true", help="print the differences and change nothing")
    parser.add_argument("--check", action="store_true", help="try to reach what the blocks name, and stop")
    options = parser.parse_args()
    if not get_current_settings().api.url:
        sys.exit("error: PREFECT_API_URL is not set: start `prefect server start` and point it there")
    try:
        if options.check:
            check(Console())
        else:
            bootstrap(Console(), is_dry=options.dry_run)
    except (PipelineFailure, DeployFailed) as failure:
        sys.exit(f"error: {failure}")


def bootstrap(console: Console, is_dry: bool) -> None:
    """Settle every difference, room by room, since the later ones name the earlier ones."""
    settled = 0
    with get_client(sync_client=True) as client:
        for room, differences in _rooms(client).items():
            changes = differences()
            if changes:
                console.print(_table(room, changes))
            settled += len(changes)
            if is_dry:
                continue
            for change in changes:
                change.apply()
            if left := differences():
                console.print(_table(f"{room}: still different", left))
                sys.exit(f"error: the server did not keep {len(left)} of the {room} as they were applied")
    if not settled:
        console.print("no changes")


def check(console: Console) -> None:
    """Try every block of the platform from here; exit 1 if one does not work."""
    platform = PlatformName().platform
    with get_client(sync_client=True) as client:
        blocks = saved_blocks.platform_blocks(effective_settings(client, platform))
    failures = []
    for name, block in blocks.items():
        try:
            block.check()
            console.print(f"{name}/{platform}: works")
        except PipelineFailure as failure:
            failures.append(f"{name}/{platform}: {failure}")
    if failures:
        raise PermanentFailure("\n".join(failures))


def _rooms(client: SyncPrefectClient) -> dict[str, Callable[[], list[Change]]]:
    """What differs, room by room, each time it is asked."""
    platform, patience = PlatformName().platform, DeploymentSettings()
    settings = effective_settings(client, platform)
    patience.require_places(settings)
    # prefect.yaml and the pool templates can name variables of the process only.
    os.environ.update(patience.variables(settings))
    return {
        "work pools": partial(work_pool.plan, client, patience.work_pool),
        "concurrency limits": partial(limits.plan, client),
        "blocks": partial(saved_blocks.plan, client, platform, settings),
        "deployments": partial(flow_deployments.plan, client),
        "automations": partial(automations.plan, client, platform, settings, patience),
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
