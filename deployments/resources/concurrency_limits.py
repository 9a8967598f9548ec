"""Global concurrency limits: what no two runs may do at once, on whichever machine they are."""

from prefect.client.orchestration import SyncPrefectClient
from prefect.exceptions import ObjectNotFound

from deployments.resources.diff import Change
from tasks.warehouse.access import WRITER_LIMIT

LIMITS = {WRITER_LIMIT: 1}


def plan(client: SyncPrefectClient) -> list[Change]:
    """Limits to create or to set."""
    return [change for name, limit in LIMITS.items() for change in _plan(client, name, limit)]


def _plan(client: SyncPrefectClient, name: str, limit: int) -> list[Change]:
    try:
        present = client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        difference = "new"
    else:
        if present.limit == limit:
            return []
        difference = f"{present.limit} to {limit}"
    return [Change(name, difference, lambda: client.upsert_global_concurrency_limit_by_name(name, limit))]
