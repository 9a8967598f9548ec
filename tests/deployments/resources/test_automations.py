"""The automations as data: every alert has its heading in the runbook, and every heading its alert."""

import datetime as dt
import re
from typing import Any, get_args
from uuid import UUID, uuid4

import pytest
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture, SequenceTrigger
from prefect.server.schemas.core import FlowRun
from prefect.server.schemas.states import Crashed, Failed, State
from prefect.server.utilities.user_templates import render_user_template_sync

from blocks.settings.environment import REPOSITORY
from blocks.settings.settings import EnvironmentSettings
from deployments.resources.automations import automations
from deployments.resources.rules import STARTED_AGAIN
from deployments.resources.settings import FOLDER, HEARTBEAT_SECONDS, DeploymentSettings
from tasks.alerts.alert import Kind

RUNBOOK = (REPOSITORY / "docs" / "runbook.md").read_text(encoding="utf-8")
PROMETHEUS = set(
    re.findall(r"docs/runbook.md#([a-z-]+)$", (FOLDER / "prometheus" / "rules.yml").read_text(), re.MULTILINE)
)
OURS = [UUID(int=7), UUID(int=8)]
HEADINGS = set(re.findall(r"^## ([a-z-]+)$", RUNBOOK, re.MULTILINE))


class NoBlocks:
    """A fake of Prefect's client: a server on which nothing is saved yet, as before the first bootstrap."""

    def read_block_document_by_name(self, *_: Any, **__: Any) -> None:
        from prefect.exceptions import ObjectNotFound

        raise ObjectNotFound(Exception())

    def read_automations_by_name(self, _: str) -> list[Any]:
        return []


@pytest.fixture
def rules(monkeypatch: pytest.MonkeyPatch) -> dict[str, AutomationCore]:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "http://127.0.0.1/x")
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", "key")
    made = automations(NoBlocks(), "production", EnvironmentSettings(), DeploymentSettings(), "tag", OURS)  # type: ignore[arg-type]
    return {each.name.removeprefix("production: "): each for each in made}


def test_every_alert_has_a_heading_in_the_runbook_and_every_heading_an_alert(
    rules: dict[str, AutomationCore],
) -> None:
    kinds = {name for name in rules if not name.endswith(" is over")}
    assert kinds | set(get_args(Kind)) | PROMETHEUS == HEADINGS


def test_every_message_links_its_own_heading(rules: dict[str, AutomationCore]) -> None:
    for name, rule in rules.items():
        for action in rule.actions:
            if action.type == "send-notification":
                heading = "trouble-over" if name.endswith(" is over") else name
                assert action.body.rstrip().endswith(f"docs/runbook.md#{heading}")


def test_links_within_the_runbook_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    assert set(re.findall(r"\(#([a-z-]+)\)", RUNBOOK)) <= {
        each.lower().replace(" ", "-") for each in headings
    }


def test_only_stale_data_wakes_somebody(rules: dict[str, AutomationCore]) -> None:
    """PagerDuty's block is used beside Slack's."""
    notifications = {
        name: [action for action in rule.actions if action.type == "send-notification"]
        for name, rule in rules.items()
    }
    assert {name for name, sent in notifications.items() if len(sent) > 1} == {"no-successful-run"}


def test_what_spoils_many_runs_is_told_once_and_has_an_end(rules: dict[str, AutomationCore]) -> None:
    once = {name for name, rule in rules.items() if rule.actions_on_trigger}
    assert once == {"run-late", "run-waiting"}
    for name in once:
        assert [action.type for action in rules[name].actions_on_trigger] == ["pause-automation"]
        assert rules[f"{name} is over"].actions[-1].type == "resume-automation"


def test_silence_is_three_heartbeats_and_waits_are_as_configured(
    rules: dict[str, AutomationCore], monkeypatch: pytest.MonkeyPatch
) -> None:
    within = {
        name: rule.trigger.within
        for name, rule in rules.items()
        if isinstance(rule.trigger, EventTrigger) and rule.trigger.posture is Posture.Proactive
    }
    assert within == {
        "run-died": dt.timedelta(minutes=1),
        "run-late": dt.timedelta(minutes=10),
        "run-stuck": dt.timedelta(hours=3),
        "run-waiting": dt.timedelta(hours=1),
        "run-silent": dt.timedelta(seconds=3 * HEARTBEAT_SECONDS),
        "run-again": dt.timedelta(seconds=90),
        "no-successful-run": dt.timedelta(hours=26),
    }


@pytest.mark.parametrize(
    ("state", "run_count", "is_started_again"),
    [(Crashed(), 1, True), (Crashed(), 2, False), (Crashed(), 0, False), (Failed(), 1, False)],
)
def test_a_crash_that_heals_itself_says_so(
    rules: dict[str, AutomationCore], state: State, run_count: int, is_started_again: bool
) -> None:
    [body] = {action.body for action in rules["run-died"].actions}
    assert STARTED_AGAIN in body
    run = FlowRun(flow_id=uuid4(), run_count=run_count, state=state)
    said = render_user_template_sync(STARTED_AGAIN, {"flow_run": run})
    assert ("It is started again by itself, once" in said) == is_started_again


def test_only_runs_of_the_platforms_own_deployments_count(rules: dict[str, AutomationCore]) -> None:
    """On a server that others use too, whatever they call their deployments."""
    ours = {f"prefect.deployment.{each}" for each in OURS}
    for name in set(rules) - {"low-quality"}:
        trigger = rules[name].trigger
        # Of a sequence, what comes last: the first is the platform's own rule, by its name.
        related = (trigger.triggers[-1] if isinstance(trigger, SequenceTrigger) else trigger).match_related
        specifications = related if isinstance(related, list) else [related]
        assert ours in [
            set(each.root["prefect.resource.id"])
            for each in specifications
            if each.root.get("prefect.resource.id")
        ], name


def test_without_a_channel_only_the_dead_are_looked_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLACK_WEBHOOK_URL", raising=False)
    monkeypatch.delenv("PAGERDUTY_ROUTING_KEY", raising=False)
    made = automations(NoBlocks(), "production", EnvironmentSettings(), DeploymentSettings(), "tag", OURS)  # type: ignore[arg-type]
    assert [each.name for each in made] == ["production: run-silent", "production: run-again"]
