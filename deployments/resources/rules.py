"""The rules by which Prefect's server raises alerts: what each waits for, says, and names as next.

Applied by automations.py. They work when worker, flow and laptop are dead.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter

from humanize import precisedelta
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState, PauseAutomation
from prefect.events.schemas.automations import EventTrigger, Posture

from blocks.settings.fields import Severity
from deployments.resources.settings import DAILY, HEARTBEAT_SECONDS, DeploymentSettings
from tasks.alerts.events import DELIVERED_EVENT, LOW_QUALITY_EVENT, quality_resource
from tasks.runs.late_runs import SKIPPED

Labels = dict[str, str | list[str]]

# How long a run may take to confirm that an alert of its own failure was delivered.
CONFIRMED_WITHIN = dt.timedelta(minutes=1)
# When a crashed run is started again: by then `run-died` has been told, and quotes the crash, and all who
# report a dead run have done so: its own end, its worker, the cluster.
AGAIN_AFTER = dt.timedelta(seconds=90)
HEARTBEATS_MISSED = 3
# Spans are said in hours at most, as they are set: 26 hours, not 1 day and 2 hours.
DATES = ("years", "months", "days")
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
CRASHED = "prefect.flow-run.Crashed"
AWAITING_RETRY = "prefect.flow-run.AwaitingRetry"
# By the server's count of how often a run has begun.
FIRST_ATTEMPT: Labels = {"prefect.run-count": "1"}
TRIGGERED = "prefect.automation.triggered"
PAUSE_ITSELF = PauseAutomation(source="inferred", automation_id=None)
RUN = "{{ flow.name }}, run {{ flow_run.name }}"
STARTED_AGAIN = (
    "{% if flow_run.state.type == 'CRASHED' and flow_run.run_count == 1 %}"
    "It is started again by itself, once: what follows is for the case that this fails, too.\n{% endif %}"
)
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


def each_run(
    after: set[str], expect: set[str], within: Span, which: Labels | None = None
) -> Callable[[Scope], EventTrigger]:
    """A run of ours for which, for so long after one of some events, none of the expected ones has come.

    Runs that bear the labels `which`, or all.
    """
    return lambda scope: EventTrigger(
        match={"prefect.resource.id": "prefect.flow-run.*", **(which or {})},
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
        f"{{{{ flow_run.state.message }}}}\n{STARTED_AGAIN}{LINK}",
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
    # Its process is gone without a word, or before its first. As Crashed it frees its slots, and `run-died`
    # notifies people. Not by force: the server handles two events at a time, so that a run's end may come
    # before its start, and what has ended stays as it is.
    Rule(
        "run-silent",
        None,
        each_run(
            {STARTED, HEARTBEAT},
            {HEARTBEAT} | ENDED,
            lambda _: dt.timedelta(seconds=HEARTBEATS_MISSED * HEARTBEAT_SECONDS),
        ),
        action=ChangeFlowRunState(
            state=StateType.CRASHED,
            name="Crashed",
            message="No heartbeat: its process is gone",
            force=False,
        ),
    ),
    # Its machine was lost, its pod evicted, its worker stopped: the same run once more, wherever a worker is.
    # What crashed before it began, or twice, has a cause that stays: that is for people.
    Rule(
        "run-again",
        None,
        each_run({CRASHED}, {AWAITING_RETRY}, lambda _: AGAIN_AFTER, FIRST_ATTEMPT),
        action=ChangeFlowRunState(
            state=StateType.SCHEDULED,
            name="AwaitingRetry",
            message="It crashed, and is started again once",
            force=False,
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
