"""The platform's blocks, filled from the environment, and those through which the server itself alerts."""

from typing import Any

from prefect.blocks.core import Block
from prefect.blocks.notifications import CustomWebhookNotificationBlock
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import BlockDocument
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from prefect_aws import AwsClientParameters, AwsCredentials
from pydantic import SecretStr
from pydantic_core import to_jsonable_python

from blocks.settings.integration_blocks import AWS_CREDENTIALS
from blocks.settings.settings import EnvironmentSettings
from blocks.system_block import SystemBlock, system_blocks
from deployments.resources.diff import Change, differing
from deployments.resources.settings import DAILY
from tasks.alerts.alert import COLORS

# The server's own alerts: one block per colour, since a block's payload is fixed but for subject and body.
SERVER_SEVERITIES = ("warning", "error", "critical")


def plan(
    client: SyncPrefectClient, platform: str, settings: EnvironmentSettings, own: EnvironmentSettings
) -> list[Change]:
    """Blocks to create, or to update in the fields named.

    `own` is `settings` without what blocks of Prefect's integrations say: copied into ours, that would hide
    what is changed there later.
    """
    blocks = platform_blocks(settings, own) | store_credentials(settings) | server_blocks(settings, platform)
    return [change for name, block in blocks.items() for change in _plan(client, name, block, platform)]


def platform_blocks(
    settings: EnvironmentSettings, filled_from: EnvironmentSettings
) -> dict[str, SystemBlock]:
    """The platform's own blocks, by type; one whose system `settings` do not use is left out."""
    return {
        block.block_type: block.filled_from(filled_from)
        for block in system_blocks()
        if block.is_configured(settings)
    }


def store_credentials(settings: EnvironmentSettings) -> dict[str, Block]:
    """The object store's key in prefect-aws' own block, if there is one; LakeStorage's check tries it."""
    if not settings.aws_access_key_id:
        return {}
    return {
        AWS_CREDENTIALS: AwsCredentials(
            aws_access_key_id=settings.aws_access_key_id,
            aws_secret_access_key=settings.aws_secret_access_key,
            aws_session_token=settings.aws_session_token.get_secret_value() or None,
            region_name=settings.aws_region or None,
            aws_client_parameters=AwsClientParameters(endpoint_url=settings.aws_endpoint_url or None),
        )
    }


def server_blocks(settings: EnvironmentSettings, platform: str) -> dict[str, Block]:
    """Webhooks that the server's automations post to: Slack in each colour, and PagerDuty when that is on."""
    blocks: dict[str, Block] = {}
    if url := settings.slack_webhook_url.get_secret_value():
        for severity in SERVER_SEVERITIES:
            blocks[f"slack-{severity}"] = CustomWebhookNotificationBlock(
                name=f"Slack, {severity}",
                url="{{ address }}",
                json_data={
                    "attachments": [
                        {"color": COLORS[severity], "title": "{{ subject }}", "text": "{{ body }}"}
                    ]
                },
                headers=None,
                cookies=None,
                secrets=SecretDict({"address": url}),
            )
    if key := settings.pagerduty_routing_key.get_secret_value():
        blocks["pagerduty-critical"] = CustomWebhookNotificationBlock(
            name="PagerDuty, critical",
            url=settings.pagerduty_url,
            json_data={
                "routing_key": "{{ key }}",
                "event_action": "trigger",
                # The incident that the daily run's own alerts open, and its next good run resolves.
                "dedup_key": DAILY,
                "payload": {
                    "summary": "{{ subject }}",
                    "severity": "critical",
                    "source": f"prefect/{platform}",
                    "custom_details": {"text": "{{ body }}"},
                },
            },
            headers=None,
            cookies=None,
            secrets=SecretDict({"key": key}),
        )
    return blocks


def server_document(platform: str, name: str) -> str:
    """The name under which a webhook of `server_blocks` is saved."""
    return f"{platform}-{name}"


def read_document(client: SyncPrefectClient, name: str, slug: str) -> BlockDocument | None:
    """The saved block with its secrets, or None."""
    try:
        return client.read_block_document_by_name(name, slug, include_secrets=True)
    except ObjectNotFound:
        return None


def _plan(client: SyncPrefectClient, name: str, block: Block, platform: str) -> list[Change]:
    slug = block.get_block_type_slug()
    # Our own are one of each type per platform; the server's are several of one type.
    document = platform if slug == name else server_document(platform, name)
    saved = read_document(client, document, slug)
    wanted = _plain(block)
    difference = ", ".join(differing(wanted, saved.data)) if saved else "new"
    if not difference:
        return []
    return [
        Change(
            f"{slug}/{document}",
            difference,
            lambda: block.save(document, overwrite=True),
        )
    ]


def _plain(block: Block) -> dict[str, Any]:
    """The block's fields as the API keeps them, secrets in the clear."""
    fields = {name: getattr(block, name) for name in type(block).model_fields}
    return {
        name: value.get_secret_value()
        if isinstance(value, SecretStr | SecretDict)
        # A time zone is its name.
        else to_jsonable_python(value, fallback=str)
        for name, value in fields.items()
    }
