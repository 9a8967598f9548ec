"""The thresholds of the automations, made short: which alerts they raise, and which they need not."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from prefect.client.schemas.objects import State, StateType
from prefect.states import Completed, Pending, Running

from tests.deployments.conftest import ROUTING_KEY, Site, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def hasty(deployed: Site) -> Iterator[Site]:
    """The site with automations that wait for fifteen seconds, or thirty for a good run; no worker."""
    deployed.stop_worker(signal.SIGTERM)
    short = {"RUNNING_AFTER": "PT15S", "WAITING_AFTER": "PT15S", "SUCCESS_WITHIN": "PT30S"}
    deployed.run("deployments.bootstrap", **short)
    yield deployed
    deployed.run("deployments.bootstrap")


@pytest.fixture
def messages(hasty: Site) -> Callable[[str], list[dict[str, Any]]]:
    """Slack's messages since the test began that have some words."""
    hasty.slack.requests.clear()
    hasty.pagerduty.requests.clear()

    def with_words(words: str) -> list[dict[str, Any]]:
        attachments = [request.body["attachments"][0] for request in hasty.slack.requests]
        return [each for each in attachments if words in each.get("title", "") + each.get("text", "")]

    return with_words


def set_states(site: Site, run_id: str, *states: State) -> None:
    with site.client() as client:
        for state in states:
            client.set_flow_run_state(run_id, state, force=True)


def test_a_run_that_runs_too_long_is_alerted_and_one_that_ends_in_time_is_not(
    hasty: Site, messages: Callable[[str], list[dict[str, Any]]]
) -> None:
    quick, stuck = (hasty.start_run("rebuild/staging"), hasty.start_run("rebuild/production"))
    ended = hasty.start_run("rebuild/production")
    set_states(hasty, ended, Pending(), Running(), Completed())
    for run_id in (quick, stuck):
        set_states(hasty, run_id, Pending(), Running())
    wait_for(lambda: bool(messages("runs longer")), 60, "no alert about the stuck run")
    [message] = messages("runs longer")
    assert message["color"] == "#d72b3f"
    assert stuck in message["text"]
    assert "#run-stuck" in message["text"]
    for run_id in (quick, stuck):
        set_states(hasty, run_id, State(type=StateType.CANCELLED))


def test_a_run_that_waits_too_long_is_alerted_in_orange(
    hasty: Site, messages: Callable[[str], list[dict[str, Any]]]
) -> None:
    waiting, taken = hasty.start_run("rebuild/production"), hasty.start_run("rebuild/production")
    for run_id in (waiting, taken):
        set_states(hasty, run_id, Pending())
    set_states(hasty, taken, Running(), Completed())
    wait_for(lambda: bool(messages("waiting for its turn")), 60, "no alert about the waiting run")
    [message] = messages("waiting for its turn")
    assert message["color"] == "#f2952f"
    assert waiting in message["text"]
    set_states(hasty, waiting, State(type=StateType.CANCELLED))


def test_no_good_run_for_too_long_wakes_somebody_and_is_posted_to_slack(
    hasty: Site, messages: Callable[[str], list[dict[str, Any]]]
) -> None:
    wait_for(lambda: bool(messages("no good run within 30 seconds")), 90, "no alert")
    wait_for(lambda: bool(hasty.pagerduty.requests), 30, "nobody was woken")
    event = hasty.pagerduty.requests[0].body
    assert (event["routing_key"], event["event_action"]) == (ROUTING_KEY, "trigger")
    # The next good run resolves it: it resolves what bears this key.
    assert event["dedup_key"] == "daily-ecommerce-pipeline"
    assert event["payload"]["severity"] == "critical"


EMIT = """
import time
from prefect.events import emit_event
from tasks.alerts.events import LOW_QUALITY_EVENT, quality_resource
emit_event(LOW_QUALITY_EVENT, resource={"prefect.resource.id": quality_resource("production")},
    payload={"scores": "90.1%, 91.2%, 93.0%", "minimum": "95.0%"})
time.sleep(2)
"""


def test_low_quality_is_alerted_with_the_scores(
    hasty: Site, messages: Callable[[str], list[dict[str, Any]]]
) -> None:
    hasty.run_code(EMIT)
    wait_for(lambda: bool(messages("three days in a row")), 30, "no alert about the low quality")
    [message] = messages("three days in a row")
    assert "90.1%, 91.2%, 93.0%; at least 95.0% is wanted" in message["text"]
    assert "#low-quality" in message["text"]
