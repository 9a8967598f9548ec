"""What people have saved in Prefect's blocks: the one place that reads them.

A block's fields bear the names of the settings they fill. All blocks of one platform bear its name
(`shop-database/production`), so a second platform on the same server is a second set of blocks.
"""

from contextlib import suppress
from functools import cache
from typing import Any

import httpx
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import ObjectNotFound

from blocks.failures import PermanentFailure, TransientFailure
from blocks.settings.environment import PRODUCTION

BLOCK_TYPES = (
    "shop-database",
    "lake-storage",
    "spark-endpoint",
    "kafka-cluster",
    "snowflake-account",
    "bigquery-project",
    "alert-channels",
    "monitoring",
)
# The fields that say where a warehouse is.
PLACES = {
    "duckdb": ["duckdb_path"],
    "snowflake": ["snowflake_account", "snowflake_database"],
    "bigquery": ["bigquery_project"],
}
# prefect-aws' own, which people may have saved for other things too: its names are not ours.
AWS_CREDENTIALS = "aws-credentials"


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
                values = read_blocks(client, platform)
                productions = values if platform == PRODUCTION else read_blocks(client, PRODUCTION)
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


def read_blocks(client: SyncPrefectClient, platform: str) -> dict[str, Any]:
    """The non-empty fields of the blocks named `platform`, as they are on the server now."""
    values: dict[str, Any] = {}
    for slug in BLOCK_TYPES:
        with suppress(ObjectNotFound):
            document = client.read_block_document_by_name(platform, slug, include_secrets=True)
            values |= document.data
    with suppress(ObjectNotFound):
        document = client.read_block_document_by_name(platform, AWS_CREDENTIALS, include_secrets=True)
        values |= _from_aws(document.data)
    return {name: value for name, value in values.items() if value not in (None, "")}


def _from_aws(data: dict[str, Any]) -> dict[str, Any]:
    """The settings that an AwsCredentials block fills; a role to assume, or a profile, is not among them."""
    return {
        "aws_access_key_id": data.get("aws_access_key_id"),
        "aws_secret_access_key": data.get("aws_secret_access_key"),
        "aws_session_token": data.get("aws_session_token"),
        "aws_region": data.get("region_name"),
        "aws_endpoint_url": (data.get("aws_client_parameters") or {}).get("endpoint_url"),
    }
