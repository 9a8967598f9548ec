"""Rules of a real Prefect server: told once until runs are taken again, and silent in a maintenance window."""

import datetime as dt
import time
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest
from prefect import flow
from prefect.client.orchestration import SyncPrefectClient
from prefect.events import Event
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Completed, Running

from blocks.settings.settings import EnvironmentSettings
from deployments.resources import automations, blocks, rules
from deployments.resources.settings import DeploymentSettings
from tasks.alerts.server_rules import silence, tell_again
from tasks.ledger.overrides import WINDOW, Override
from tests.deployments.conftest import prefect_server_process, wait_for
from tests.support.receivers import Webhook, open_webhook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

PLATFORM = "production"
LATE_AFTER = dt.timedelta(seconds=10)
# Instead of half a minute.
HEARTBEAT_SECONDS = 8


@pytest.fixture(scope="module")
def slack() -> Iterator[Webhook]:
    with open_webhook() as webhook:
        yield webhook


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, slack: Webhook) -> Iterator[SyncPrefectClient]:
    """A client of a server that has the automations, and no deployment."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        prefect_server_process(tmp_path_factory.mktemp("server")) as environment,
        temporary_settings({PREFECT_API_URL: environment["PREFECT_API_URL"]}),
        SyncPrefectClient(environment["PREFECT_API_URL"]) as client,
    ):
        monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{slack.url}/slack/x")
        monkeypatch.setenv("LATE_AFTER", "PT10S")
        monkeypatch.setattr(rules, "HEARTBEAT_SECONDS", HEARTBEAT_SECONDS)
        settings, thresholds = EnvironmentSettings(), DeploymentSettings()
        for change in blocks.plan(client, PLATFORM, settings, settings):
            change.apply()
        for change in automations.plan(client, PLATFORM, settings, thresholds):
            change.apply()
        assert automations.plan(client, PLATFORM, settings, thresholds) == []
        yield client


def happens(client: SyncPrefectClient, run: int, event: str) -> None:
    """A run of a deployment of ours comes into a state, or sends a heartbeat."""
    sent = Event(
        event=f"prefect.flow-run.{event}",
        resource={"prefect.resource.id": f"prefect.flow-run.{UUID(int=run)}"},
        related=[
            {
                "prefect.resource.role": "deployment",
                "prefect.resource.id": f"prefect.deployment.{automations.NOT_SAVED_YET}",
            }
        ],
    )
    client.request("POST", "/events", json=[sent.model_dump(mode="json")]).raise_for_status()


def is_on(client: SyncPrefectClient, kind: str) -> Callable[[], bool]:
    return lambda: client.read_automations_by_name(f"{PLATFORM}: {kind}")[0].enabled


def is_off(client: SyncPrefectClient, kind: str) -> Callable[[], bool]:
    return lambda: not is_on(client, kind)()


def titles(slack: Webhook) -> list[str]:
    return [request.body["attachments"][0]["title"] for request in slack.requests]


def test_late_runs_are_told_once_until_one_is_taken(client: SyncPrefectClient, slack: Webhook) -> None:
    slack.requests.clear()
    happens(client, 1, "Late")
    wait_for(is_off(client, "run-late"), 60, "the late run was not told")
    for run in (2, 3):
        happens(client, run, "Late")
    time.sleep(LATE_AFTER.total_seconds() + 8)
    assert len(titles(slack)) == 1, "told again of each late run"
    body = slack.requests[0].body["attachments"][0]["text"]
    assert "prefect worker start --pool process" in body

    happens(client, 1, "Running")
    wait_for(is_on(client, "run-late"), 60, "the rule is still off")
    wait_for(lambda: len(titles(slack)) == 2, 30, "nobody was told that it is over")
    assert titles(slack)[1] == "run-late: runs are taken again: none was late since"

    # A run that starts says nothing by itself, and the next trouble is told.
    happens(client, 2, "Running")
    happens(client, 4, "Late")
    wait_for(lambda: len(titles(slack)) == 3, 60, "the next late run was not told")


def test_a_window_is_silent_and_ends_by_itself(client: SyncPrefectClient) -> None:
    for kind in ("run-late", "no-successful-run"):
        client.resume_automation(client.read_automations_by_name(f"{PLATFORM}: {kind}")[0].id)
    now = dt.datetime.now(dt.UTC)
    window = Override(
        override_id="maintenance-window-abc",
        kind=WINDOW,
        subject="runs",
        decision="maintenance",
        reason="the worker moves",
        person="ada",
        starts_at=now + dt.timedelta(seconds=12),
        ends_at=now + dt.timedelta(seconds=30),
    )
    assert silence(["run-late", "no-successful-run", "no-such-rule"], window, now) == [
        "run-late",
        "no-successful-run",
    ]
    assert is_on(client, "run-late")()
    wait_for(is_off(client, "no-successful-run"), 60, "the window has not begun")
    wait_for(is_off(client, "run-late"), 10, "the window has not begun for all rules")
    wait_for(is_on(client, "run-late"), 60, "the window has not ended")
    wait_for(is_on(client, "no-successful-run"), 10, "the window has not ended for all rules")

    # One that has begun, and is ended by hand: nothing of it is left.
    at_once = window.model_copy(update={"override_id": "maintenance-window-def", "starts_at": now})
    at_once = at_once.model_copy(update={"ends_at": now + dt.timedelta(hours=6)})
    silence(["run-late"], at_once, dt.datetime.now(dt.UTC))
    assert is_off(client, "run-late")()
    tell_again(["run-late"], at_once)
    assert is_on(client, "run-late")()
    names = [each.name for each in client.read_automations()]
    assert [name for name in names if "maintenance-window" in name] == []


def test_each_message_of_the_server_names_a_command(client: SyncPrefectClient) -> None:
    for rule in client.read_automations():
        for action in rule.actions:
            if action.type == "send-notification" and not rule.name.endswith(" is over"):
                assert "To go on: p" in action.body, rule.name


def test_a_run_that_dies_before_its_first_heartbeat_is_missed(client: SyncPrefectClient) -> None:
    dead, living, ended = (
        client.create_flow_run(flow(lambda: None, name="silent"), state=Running()) for _ in "abc"
    )
    client.set_flow_run_state(ended.id, Completed())
    # Of the third, the server handled the end before the start, as it may when it is busy.
    for run in (ended, dead, living):
        happens(client, run.id.int, "Running")

    def is_missed() -> bool:
        happens(client, living.id.int, "heartbeat")
        time.sleep(1)
        return client.read_flow_run(dead.id).state_name == "Crashed"

    wait_for(is_missed, 90, "nobody has missed it")
    assert client.read_flow_run(living.id).state_name == "Running"
    assert client.read_flow_run(ended.id).state_name == "Completed"
