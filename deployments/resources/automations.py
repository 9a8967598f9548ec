"""Alerts that Prefect's server raises by itself: they work when worker, flow and laptop are dead.

A run notifies people of what it can (tasks/alerts/delivery.py); these rules cover what no run is left to
notify of. Each is applied by name; its message links the heading of docs/runbook.md that bears its name.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import ResumeAutomation, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, SequenceTrigger

from blocks.settings.fields import Severity
from blocks.settings.settings import EnvironmentSettings
from deployments.resources.blocks import read_document, server_blocks, server_document
from deployments.resources.deployments import deployment_ids
from deployments.resources.diff import Change
from deployments.resources.rules import PAUSE_ITSELF, RULES, STARTED, TRIGGERED, Labels, Rule, Scope
from deployments.resources.settings import DeploymentSettings

WEBHOOK = "custom-webhook"
# Stands for a block or a deployment in a dry run, before there is one.
NOT_SAVED_YET = UUID(int=0)


def plan(
    client: SyncPrefectClient, platform: str, settings: EnvironmentSettings, thresholds: DeploymentSettings
) -> list[Change]:
    """Automations to create or update, and ours that are no longer wanted; none without a channel."""
    tag = f"ecommerce-pipeline/{platform}"
    deployments = deployment_ids(client, platform) or [NOT_SAVED_YET]
    made = automations(client, platform, settings, thresholds, tag, deployments)
    wanted = {each.name: each for each in made}
    present = {each.name: each for each in client.read_automations() if tag in each.tags}
    changes = [_plan(client, each, present.get(name)) for name, each in wanted.items()]
    for name in present.keys() - wanted.keys():
        changes.append(_deletion(client, present[name]))
    return [change for change in changes if change]


def automations(
    client: SyncPrefectClient,
    platform: str,
    settings: EnvironmentSettings,
    thresholds: DeploymentSettings,
    tag: str,
    deployments: Sequence[UUID],
) -> list[AutomationCore]:
    """Every automation of the platform, about runs of its `deployments`, addressed to the server's blocks."""
    ours: Labels = {
        "prefect.resource.role": "deployment",
        "prefect.resource.id": [f"prefect.deployment.{each}" for each in deployments],
    }
    scope = Scope(platform, ours, thresholds)
    made = []
    for rule in RULES:
        notifications = _notifications(client, scope, settings, rule)
        actions: list[Any] = [rule.action] if rule.action else notifications
        if actions:
            made.append(
                AutomationCore(
                    name=f"{platform}: {rule.kind}",
                    description=f"See docs/runbook.md, {rule.kind}.",
                    trigger=rule.trigger(scope),
                    actions=actions,
                    actions_on_trigger=[PAUSE_ITSELF] if rule.over else [],
                    tags=[tag],
                )
            )
            if rule.over:
                made.append(_ending(client, scope, settings, rule, tag))
    return made


def _ending(
    client: SyncPrefectClient, scope: Scope, settings: EnvironmentSettings, rule: Rule, tag: str
) -> AutomationCore:
    """What ends the silence of a rule that was told once: the first run of ours that starts after it."""
    name = f"{scope.platform}: {rule.kind}"
    told = EventTrigger(
        match={"prefect.resource.id": "prefect.automation.*", "prefect.resource.name": name},
        expect={TRIGGERED},
    )
    started = EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"}, match_related=scope.ours, expect={STARTED}
    )
    link = f"What to do: {settings.runbook_url}#trouble-over"
    return AutomationCore(
        name=f"{name} is over",
        description="See docs/runbook.md, trouble-over.",
        trigger=SequenceTrigger(triggers=[told, started], within=None),
        actions=[
            *(
                SendNotification(block_document_id=block, subject=f"{rule.kind}: {rule.over}", body=link)
                for block in _blocks(client, scope.platform, settings, rule.severity)
            ),
            ResumeAutomation(source="selected", automation_id=_automation_id(client, name)),
        ],
        tags=[tag],
    )


def _automation_id(client: SyncPrefectClient, name: str) -> UUID:
    """The id of an automation; NOT_SAVED_YET before there is one."""
    found = client.read_automations_by_name(name)
    return found[0].id if found else NOT_SAVED_YET


def _with_ids(client: SyncPrefectClient, wanted: AutomationCore) -> AutomationCore:
    """The automation once those that it turns on again are there."""
    name = wanted.name.removesuffix(" is over")
    actions = [
        ResumeAutomation(source="selected", automation_id=_automation_id(client, name))
        if isinstance(action, ResumeAutomation)
        else action
        for action in wanted.actions
    ]
    return wanted.model_copy(update={"actions": actions})


def _notifications(
    client: SyncPrefectClient, scope: Scope, settings: EnvironmentSettings, rule: Rule
) -> list[SendNotification]:
    """One message for each of the server's blocks of the rule's severity."""
    subject = rule.subject if isinstance(rule.subject, str) else rule.subject(scope.thresholds)
    body = f"{rule.body}\nTo go on: {rule.command(scope)}\nWhat to do: {settings.runbook_url}#{rule.kind}"
    return [
        SendNotification(block_document_id=block, subject=subject, body=body)
        for block in _blocks(client, scope.platform, settings, rule.severity)
    ]


def _blocks(
    client: SyncPrefectClient, platform: str, settings: EnvironmentSettings, severity: Severity | None
) -> list[UUID]:
    names = [name for name in server_blocks(settings, platform) if name.endswith(f"-{severity}")]
    documents = [read_document(client, server_document(platform, name), WEBHOOK) for name in names]
    return [document.id if document else NOT_SAVED_YET for document in documents]


def _plan(client: SyncPrefectClient, wanted: AutomationCore, present: Automation | None) -> Change | None:
    if present is None:
        return Change(wanted.name, "new", lambda: client.create_automation(_with_ids(client, wanted)))
    fields = set(AutomationCore.model_fields)
    was, will_be = present.model_dump(include=fields), wanted.model_dump(include=fields)
    difference = ", ".join(name for name in sorted(fields) if was[name] != will_be[name])
    if not difference:
        return None
    return Change(
        wanted.name,
        difference,
        lambda: client.update_automation(present.id, _whole(_with_ids(client, wanted))),
    )


def _whole(wanted: AutomationCore) -> AutomationCore:
    """The same with every field set: an update leaves out defaults, a trigger's type among them.

    But for the owner, of whom the server lets nobody speak.
    """
    return AutomationCore.model_validate(wanted.model_dump(exclude={"owner_resource"}))


def _deletion(client: SyncPrefectClient, present: Automation) -> Change:
    return Change(present.name, "no longer wanted", lambda: client.delete_automation(present.id))
