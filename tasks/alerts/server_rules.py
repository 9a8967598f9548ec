"""The rules of Prefect's server that a person has silenced for a time; the server itself keeps the time.

Of runs that no worker takes, none of ours is left to look into the ledger: the server tells of them by itself
(deployments/resources/rules.py). So a window pauses these rules, at once or by an automation that waits
for its beginning, and a second one turns them on again at its end, whoever lives by then.
"""

import datetime as dt
from collections.abc import Iterable

from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.events.actions import PauseAutomation, ResumeAutomation
from prefect.events.schemas.automations import Automation, AutomationCore, EventTrigger, Posture

from blocks.settings.environment import PlatformName
from tasks.ledger.overrides import Override

# What is about runs that were meant not to run.
OF_WINDOWS = ("run-late", "run-waiting", "no-successful-run")
# The server waits no shorter for what does not come.
SHORTEST = dt.timedelta(seconds=10)
NEVER = "ecommerce-pipeline.never"


def silence(kinds: Iterable[str], override: Override, at: dt.datetime) -> list[str]:
    """Silence the server's rules of these kinds while the override stands; returns those that are there."""
    platform = PlatformName().platform
    with get_client(sync_client=True) as client:
        _forget_past(client, platform)
        rules = _rules(client, platform, kinds)
        if not rules:
            return []
        if override.starts_at <= at:
            for rule in rules:
                client.pause_automation(rule.id)
        else:
            pauses = [PauseAutomation(source="selected", automation_id=rule.id) for rule in rules]
            client.create_automation(_timer(platform, override, "begins", override.starts_at - at, pauses))
        assert override.ends_at
        resumes = [ResumeAutomation(source="selected", automation_id=rule.id) for rule in rules]
        client.create_automation(_timer(platform, override, "ends", override.ends_at - at, resumes))
    return [rule.name.rpartition(": ")[2] for rule in rules]


def tell_again(kinds: Iterable[str], override: Override) -> None:
    """End the silence of an override before its time."""
    platform = PlatformName().platform
    with get_client(sync_client=True) as client:
        for timer in client.read_automations():
            if _tag(platform) in timer.tags and override.override_id in timer.name:
                client.delete_automation(timer.id)
        for rule in _rules(client, platform, kinds):
            client.resume_automation(rule.id)


def _rules(client: SyncPrefectClient, platform: str, kinds: Iterable[str]) -> list[Automation]:
    return [rule for kind in kinds for rule in client.read_automations_by_name(f"{platform}: {kind}")]


def _timer(
    platform: str,
    override: Override,
    word: str,
    after: dt.timedelta,
    actions: list[PauseAutomation] | list[ResumeAutomation],
) -> AutomationCore:
    """An automation that acts once, so long from now: what it waits for never comes."""
    return AutomationCore(
        name=f"{platform}: {override.override_id} {word}",
        description=str(override),
        trigger=EventTrigger(expect={NEVER}, posture=Posture.Proactive, within=max(after, SHORTEST)),
        actions=list(actions),
        actions_on_trigger=[PauseAutomation(source="inferred", automation_id=None)],
        tags=[_tag(platform)],
    )


def _forget_past(client: SyncPrefectClient, platform: str) -> None:
    """Delete the timers that have acted."""
    for timer in client.read_automations():
        if _tag(platform) in timer.tags and not timer.enabled:
            client.delete_automation(timer.id)


def _tag(platform: str) -> str:
    return f"ecommerce-pipeline/{platform}/silence"
