"""Settings that people have saved in Prefect's blocks: the one place that reads them.

A block's fields bear the names of the settings they fill. All blocks of one platform bear its name
(`shop-database/production`), so a second platform on the same server is a second set of blocks. Blocks of
Prefect's integrations under that name count too, where ours say nothing.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from blocks.settings.environment import PRODUCTION
from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import PLACES, SYSTEMS
from blocks.settings.integration_blocks import INTEGRATIONS, LOGINS


@dataclass(frozen=True)
class SavedBlocks:
    """The non-empty fields of one platform's blocks, as {setting: value}."""

    own: dict[str, Any]
    borrowed: dict[str, Any]
    """Those that only blocks of Prefect's integrations have."""

    @property
    def values(self) -> dict[str, Any]:
        """Both together."""
        return self.own | self.borrowed


@cache
def saved_values(platform: str, api_url: str | None) -> dict[str, Any]:
    """The non-empty fields of the blocks named `platform`, as {setting: value}; read once per process.

    Empty without a Prefect API. Raises TransientFailure if the API does not answer, PermanentFailure if it
    refuses or if a platform other than production has not said where it keeps its lake and its warehouse (the
    environment's answer would be production's), or has said the same as production.
    """
    values: dict[str, Any] = {}
    productions: dict[str, Any] = {}
    if api_url:
        where = httpx.URL(api_url).copy_with(userinfo=b"")
        try:
            with get_client(sync_client=True) as client:
                values = read_blocks(client, platform).values
                productions = values if platform == PRODUCTION else read_blocks(client, PRODUCTION).values
        except httpx.HTTPStatusError as error:
            failure = TransientFailure if error.response.is_server_error else PermanentFailure
            raise failure(
                f"Prefect's API at {where} answers {error.response.status_code}, so its blocks cannot be "
                "read; correct PREFECT_API_URL or what it is to log in with"
            ) from None
        except httpx.HTTPError as error:
            raise TransientFailure(
                f"Prefect's API at {where} does not answer ({type(error).__name__}), so its blocks cannot "
                "be read; start it, or unset PREFECT_API_URL"
            ) from None
    if platform != PRODUCTION:
        _require_own_places(platform, values, productions)
    return values


def _require_own_places(platform: str, values: dict[str, Any], productions: dict[str, Any]) -> None:
    for fields in (["lake_uri"], PLACES[values.get("warehouse", "duckdb")]):
        if any(field not in values for field in fields):
            raise PermanentFailure(
                f"PLATFORM is {platform!r}, but no block of that name says where it writes "
                f"({', '.join(fields).upper()}); save one (docs/runbook.md, Staging)"
            )
        if all(values[field] == productions.get(field) for field in fields):
            raise PermanentFailure(
                f"PLATFORM is {platform!r}, but its {' and '.join(fields).upper()} is production's; "
                f"give it one of its own (docs/runbook.md, Staging)"
            )


def read_blocks(client: SyncPrefectClient, platform: str) -> SavedBlocks:
    """The blocks named `platform`, as they are on the server now."""
    own: dict[str, Any] = {}
    borrowed: dict[str, Any] = {}
    for system in SYSTEMS:
        own |= _said(_read(client, platform, system.block_type))
    for slug, settings_from in INTEGRATIONS.items():
        borrowed |= _said(settings_from(_read(client, platform, slug)))
    decided = set(own).union(*(login for login in LOGINS if login & own.keys()))
    return SavedBlocks(own, {name: value for name, value in borrowed.items() if name not in decided})


def _read(client: SyncPrefectClient, name: str, slug: str) -> dict[str, Any]:
    try:
        return client.read_block_document_by_name(name, slug, include_secrets=True).data
    except ObjectNotFound:
        return {}


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """The values that are not empty."""
    return {name: value for name, value in values.items() if value not in (None, "")}
