"""Alerts that Prefect's server raises by itself: they work when worker, flow and laptop are dead.

A run notifies people of what it can (tasks/alerts/delivery.py); these rules cover what no run is left to
notify of. Each is applied by name; its message links the heading of docs/runbook.md that bears its name.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from uuid import UUID

from humanize import precisedelta
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, PauseAutomation, ResumeAutomation, SendNotification
from prefect.events.schemas.automations import (
    Automation,
    AutomationCore,
    EventTrigger,
    Posture,
    SequenceTrigger,
)

from blocks.settings.fields import Severity
from blocks.settings.settings import EnvironmentSettings
from deployments.resources.blocks import read_document, server_blocks, server_document
from deployments.resources.deployments import deployment_ids
from deployments.resources.diff import Change
from deployments.resources.settings import DAILY, HEARTBEAT_SECONDS, DeploymentSettings
from tasks.alerts.events import DELIVERED_EVENT, LOW_QUALITY_EVENT, quality_resource
from tasks.runs.late_runs import SKIPPED

Labels = dict[str, str | list[str]]

WEBHOOK = "custom-webhook"
# How long a run may take to confirm that an alert of its own failure was delivered.
CONFIRMED_WITHIN = dt.timedelta(minutes=1)
HEARTBEATS_MISSED = 3
# Spans are said in hours at most, as they are set: 26 hours, not 1 day and 2 hours.
DATES = ("years", "months", "days")
# Stands for a block or a deployment in a dry run, before there is one.
NOT_SAVED_YET = UUID(int=0)
ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Crashed", "Cancelled", SKIPPED)}
WAITING = {f"prefect.flow-run.{state}" for state in ("Pending", "AwaitingConcurrencySlot")}
STARTED = "prefect.flow-run.Running"
HEARTBEAT = "prefect.flow-run.heartbeat"
LATE = "prefect.flow-run.Late"
NO_LONGER_LATE = (
    ENDED
    | WAITING
    | {STARTED}
    | {f"prefect.flow-run.{state}" for state in ("Scheduled", "Cancelling", "Paused")}
)
TRIGGERED = "prefect.automation.triggered"
PAUSE_ITSELF = PauseAutomation(source="inferred", automation_id=None)
RUN = "{{ flow.name }}, run {{ flow_run.name }}"
LINK = "The run: {{ flow_run|ui_url }}"


@dataclass(frozen=True)
class Scope:
    """The platform, the deployments and the thresholds that a rule is applied to."""

    platform: str
    ours: Labels
    """The platform's deployments. By id: other people's deployments on this server may be called `production`
    too, and what they run may be silent for longer. Besides, heartbeats bear no name."""
    thresholds: DeploymentSettings


Span = Callable[[DeploymentSettings], dt.timedelta]


@dataclass(frozen=True)
class Rule:
    """One automation: `kind` is its name and its heading in the runbook; without a severity it only acts.

    With `over`, a sentence, it is told once: the rule pauses itself, until a run of ours has started. Another
    automation then says that sentence, and turns it on again.
    """

    kind: str
    severity: Severity | None
    trigger: Callable[[Scope], EventTrigger]
    subject: Callable[[DeploymentSettings], str] | str = ""
    body: str = ""
    action: ChangeFlowRunState | None = None
    command: Callable[[Scope], str] = lambda _: "python -m flows.status"
    """What a person calls next."""
    over: str = ""


def each_run(after: set[str], expect: set[str], within: Span) -> Callable[[Scope], EventTrigger]:
    """A run of ours for which, for so long after one of some events, none of the expected ones has come."""
    return lambda scope: EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related=scope.ours,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        after=after,
        expect=expect,
        within=within(scope.thresholds),
    )


def no_daily_run(expect: set[str], within: Span) -> Callable[[Scope], EventTrigger]:
    """No run of the daily flow has brought one of the expected events for so long."""
    daily: Labels = {"prefect.resource.role": "flow", "prefect.resource.name": DAILY}
    return lambda scope: EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*"},
        match_related=[scope.ours, daily],
        posture=Posture.Proactive,
        expect=expect,
        within=within(scope.thresholds),
    )


def low_quality(scope: Scope) -> EventTrigger:
    """A run has found the platform's data below its quality limit."""
    return EventTrigger(
        match={"prefect.resource.id": quality_resource(scope.platform)}, expect={LOW_QUALITY_EVENT}
    )


RULES = (
    Rule(
        "run-died",
        "error",
        each_run(
            {"prefect.flow-run.Failed", "prefect.flow-run.Crashed"},
            {DELIVERED_EVENT},
            lambda _: CONFIRMED_WITHIN,
        ),
        f"{RUN}: {{{{ flow_run.state.name }}}}, and no alert of its own was delivered",
        f"{{{{ flow_run.state.message }}}}\n{LINK}",
        command=lambda scope: f"prefect deployment run {{{{ flow.name }}}}/{scope.platform}",
    ),
    Rule(
        "run-late",
        "warning",
        each_run({LATE}, NO_LONGER_LATE, attrgetter("late_after")),
        f"{RUN} is late: no worker has taken it",
        LINK,
        command=lambda scope: f"prefect worker start --pool {scope.thresholds.work_pool}",
        over="runs are taken again: none was late since",
    ),
    Rule(
        "run-stuck",
        "error",
        each_run({STARTED}, ENDED, attrgetter("running_after")),
        f"{RUN} runs longer than it ever should",
        LINK,
        command=lambda _: "prefect flow-run cancel {{ flow_run.id }}",
    ),
    Rule(
        "run-waiting",
        "warning",
        each_run(WAITING, {STARTED} | ENDED, attrgetter("waiting_after")),
        f"{RUN} has been waiting for its turn",
        LINK,
        command=lambda _: "prefect gcl inspect warehouse-writer",
        over="a run has had its turn",
    ),
    # Its process is gone without a word. As Crashed it frees its slots, and `run-died` notifies people.
    Rule(
        "run-silent",
        None,
        each_run(
            {HEARTBEAT},
            {HEARTBEAT} | ENDED,
            lambda _: dt.timedelta(seconds=HEARTBEATS_MISSED * HEARTBEAT_SECONDS),
        ),
        action=ChangeFlowRunState(
            state=StateType.CRASHED,
            name="Crashed",
            message="No heartbeat: its process is gone",
            force=True,
        ),
    ),
    Rule(
        "no-successful-run",
        "critical",
        no_daily_run({"prefect.flow-run.Completed"}, attrgetter("success_within")),
        lambda thresholds: (
            f"{DAILY}: no good run within {precisedelta(thresholds.success_within, suppress=DATES)}"
        ),
        "The marts are older than they may be.",
        command=lambda scope: f"prefect deployment run {DAILY}/{scope.platform}",
    ),
    Rule(
        "low-quality",
        "error",
        low_quality,
        f"{DAILY}: rows below the quality limit three days in a row",
        "Share of rows that passed, newest first: {{ event.payload.scores }}; "
        "at least {{ event.payload.minimum }} is wanted.",
    ),
)


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
                    actions_on_trigger=[PauseAutomation(source="inferred", automation_id=None)]
                    if rule.over
                    else [],
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
    return Change(wanted.name, difference, lambda: client.update_automation(present.id, wanted))


def _deletion(client: SyncPrefectClient, present: Automation) -> Change:
    return Change(present.name, "no longer wanted", lambda: client.delete_automation(present.id))
