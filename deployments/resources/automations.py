"""Alerts that Prefect's server raises by itself: they work when worker, flow and laptop are dead.

What a run can tell, it tells (tasks/alerts/delivery.py); these cover what nobody is left to tell. Each is
applied by name; its message links the heading of docs/runbook.md that bears its name.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, SendNotification
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

from blocks.settings.settings import EnvironmentSettings
from deployments.resources.blocks import read_document, server_blocks, server_document
from deployments.resources.deployments import deployment_ids
from deployments.resources.diff import Change
from deployments.settings import DAILY, HEARTBEAT_SECONDS, DeploymentSettings
from tasks.alerts.events import DELIVERED_EVENT, LOW_QUALITY_EVENT, quality_resource

Labels = dict[str, str | list[str]]

WEBHOOK = "custom-webhook"
# How long a run may take to say that it has told of its own failure.
TOLD_WITHIN = dt.timedelta(minutes=1)
HEARTBEATS_MISSED = 3
# Stands for a block or a deployment in a dry run, before there is one.
NOT_SAVED_YET = UUID(int=0)
ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled")}
FOR_EACH_RUN: dict[str, Any] = {
    "match": {"prefect.resource.id": "prefect.flow-run.*"},
    "for_each": {"prefect.resource.id"},
    "posture": Posture.Proactive,
}
RUN = "{{ flow.name }}, run {{ flow_run.name }}"
LINK = "{{ flow_run|ui_url }}"


def plan(
    client: SyncPrefectClient, platform: str, settings: EnvironmentSettings, patience: DeploymentSettings
) -> list[Change]:
    """Automations to create or update, and ours that are no longer wanted; none without a channel."""
    tag = f"ecommerce-pipeline/{platform}"
    deployments = deployment_ids(client, platform) or [NOT_SAVED_YET]
    made = automations(client, platform, settings, patience, tag, deployments)
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
    patience: DeploymentSettings,
    tag: str,
    deployments: Sequence[UUID],
) -> list[AutomationCore]:
    """Every automation of the platform, about runs of its `deployments`, addressed to the server's blocks."""
    # By id: other people's deployments on this server may be called `production` too, and what they run may
    # be silent for longer. Besides, heartbeats bear no name.
    ours: Labels = {
        "prefect.resource.role": "deployment",
        "prefect.resource.id": [f"prefect.deployment.{each}" for each in deployments],
    }
    daily: Labels = {"prefect.resource.role": "flow", "prefect.resource.name": DAILY}

    def tell(kind: str, severity: str, subject: str, body: str) -> list[SendNotification]:
        return [
            SendNotification(
                block_document_id=block,
                subject=subject,
                body=f"{body}\nWhat to do: {settings.runbook_url}#{kind}",
            )
            for block in _blocks(client, platform, settings, severity)
        ]

    def each_run(**trigger: Any) -> EventTrigger:
        return EventTrigger(**FOR_EACH_RUN, match_related=ours, **trigger)

    unsent = each_run(
        after={"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
        expect={DELIVERED_EVENT},
        within=TOLD_WITHIN,
    )
    late = each_run(after={"prefect.flow-run.Late"}, expect=_anything_but("Late"), within=patience.late_after)
    running = each_run(after={"prefect.flow-run.Running"}, expect=ENDED, within=patience.running_after)
    waiting = each_run(
        after={"prefect.flow-run.Pending", "prefect.flow-run.AwaitingConcurrencySlot"},
        expect={"prefect.flow-run.Running"} | ENDED,
        within=patience.waiting_after,
    )
    silent = each_run(
        after={"prefect.flow-run.heartbeat"},
        expect={"prefect.flow-run.heartbeat"} | ENDED,
        within=dt.timedelta(seconds=HEARTBEATS_MISSED * HEARTBEAT_SECONDS),
    )
    no_success = EventTrigger(
        expect={"prefect.flow-run.Completed"},
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related=[ours, daily],
        posture=Posture.Proactive,
        within=patience.success_within,
    )
    low_quality = EventTrigger(
        expect={LOW_QUALITY_EVENT},
        match={"prefect.resource.id": quality_resource(platform)},
    )
    rules: dict[str, tuple[EventTrigger, Sequence[SendNotification | ChangeFlowRunState]]] = {
        "run-died": (
            unsent,
            tell(
                "run-died",
                "error",
                f"{RUN}: {{{{ flow_run.state.name }}}}, and it could tell nobody why",
                f"{{{{ flow_run.state.message }}}}\nThe run: {LINK}",
            ),
        ),
        "run-late": (
            late,
            tell("run-late", "warning", f"{RUN} is late: no worker has taken it", f"The run: {LINK}"),
        ),
        "run-stuck": (
            running,
            tell("run-stuck", "error", f"{RUN} runs longer than it ever should", f"The run: {LINK}"),
        ),
        "run-waiting": (
            waiting,
            tell("run-waiting", "warning", f"{RUN} has been waiting for its turn", f"The run: {LINK}"),
        ),
        # Its process is gone without a word. As Crashed it frees its slots, and `run-died` tells people.
        "run-silent": (
            silent,
            [
                ChangeFlowRunState(
                    state=StateType.CRASHED,
                    name="Crashed",
                    message="No heartbeat: its process is gone",
                    force=True,
                )
            ],
        ),
        "no-successful-run": (
            no_success,
            tell(
                "no-successful-run",
                "critical",
                f"{DAILY}: no good run within {_words(patience.success_within)}",
                "The marts are older than they may be.",
            ),
        ),
        "low-quality": (
            low_quality,
            tell(
                "low-quality",
                "error",
                f"{DAILY}: rows below the quality limit three days in a row",
                "Share of rows that passed, newest first: {{ event.payload.scores }}; "
                "at least {{ event.payload.minimum }} is wanted.",
            ),
        ),
    }
    return [
        AutomationCore(
            name=f"{platform}: {kind}",
            description=f"See docs/runbook.md, {kind}.",
            trigger=trigger,
            actions=list(actions),
            tags=[tag],
        )
        for kind, (trigger, actions) in rules.items()
        if actions
    ]


def _blocks(
    client: SyncPrefectClient, platform: str, settings: EnvironmentSettings, severity: str
) -> list[UUID]:
    names = [name for name in server_blocks(settings, platform) if name.endswith(f"-{severity}")]
    documents = [read_document(client, server_document(platform, name), WEBHOOK) for name in names]
    return [document.id if document else NOT_SAVED_YET for document in documents]


def _anything_but(state: str) -> set[str]:
    states = (
        "Pending",
        "Running",
        "AwaitingConcurrencySlot",
        "Scheduled",
        "Cancelling",
        "Paused",
    )
    return ENDED | {f"prefect.flow-run.{name}" for name in states if name != state}


def _words(span: dt.timedelta) -> str:
    hours = span / dt.timedelta(hours=1)
    return f"{hours:g} hours" if hours >= 1 else f"{span.total_seconds():g} seconds"


def _plan(client: SyncPrefectClient, wanted: AutomationCore, present: Automation | None) -> Change | None:
    if present is None:
        return Change(wanted.name, "new", lambda: client.create_automation(wanted))
    fields = set(AutomationCore.model_fields)
    was, will_be = present.model_dump(include=fields), wanted.model_dump(include=fields)
    difference = ", ".join(name for name in sorted(fields) if was[name] != will_be[name])
    if not difference:
        return None
    return Change(wanted.name, difference, lambda: client.update_automation(present.id, wanted))


def _deletion(client: SyncPrefectClient, present: Automation) -> Change:
    return Change(present.name, "no longer wanted", lambda: client.delete_automation(present.id))
