"""A real Prefect server starts a run again that crashed: once, with its day, and nobody else's."""

import datetime as dt
from collections.abc import Iterator
from uuid import UUID

import pytest
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.states import Crashed, Failed, Pending, Running, Scheduled, State

from blocks.settings.settings import EnvironmentSettings
from deployments.resources import automations, rules
from deployments.resources.settings import DAILY, DeploymentSettings
from tests.deployments.conftest import prefect_server_process, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# Instead of a minute and a half.
SOON = dt.timedelta(seconds=10)
SCHEDULED_FOR = dt.datetime(2024, 1, 15, 6, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncPrefectClient]:
    """A client of a server with the daily flow's deployments and the automations of `production`."""
    with (
        pytest.MonkeyPatch.context() as monkeypatch,
        prefect_server_process(tmp_path_factory.mktemp("server")) as environment,
        SyncPrefectClient(environment["PREFECT_API_URL"]) as client,
    ):
        monkeypatch.setattr(rules, "AGAIN_AFTER", SOON)
        flow = client.create_flow_from_name(DAILY)
        for name in ("production", "somebody-elses"):
            client.create_deployment(flow, name=name)
        for change in automations.plan(client, "production", EnvironmentSettings(), DeploymentSettings()):
            change.apply()
        yield client


def run_of(client: SyncPrefectClient, deployment: str, *states: State) -> UUID:
    """A scheduled run of a deployment that has come through these states."""
    found = client.read_deployment_by_name(f"{DAILY}/{deployment}")
    made = client.create_flow_run_from_deployment(found.id, state=Scheduled(scheduled_time=SCHEDULED_FOR))
    for state in states:
        client.set_flow_run_state(made.id, state, force=True)
    return made.id


def test_a_crashed_run_is_started_again_once(client: SyncPrefectClient) -> None:
    crashed = Crashed(message="the pod was evicted")
    never_began = run_of(client, "production", Pending(), crashed)
    failed = run_of(client, "production", Pending(), Running(), Failed())
    foreign = run_of(client, "somebody-elses", Pending(), Running(), crashed)
    evicted = run_of(client, "production", Pending(), Running(), crashed)

    def read(run: UUID) -> FlowRun:
        return client.read_flow_run(run)

    wait_for(lambda: read(evicted).state_name == "AwaitingRetry", 60, "it is not started again")
    again = read(evicted)
    assert again.expected_start_time == SCHEDULED_FOR, "its day would be another"
    assert again.next_scheduled_start_time, "no worker would take it"

    # Evicted again; a run that crashes after it is started again before this one could be.
    for state in (Pending(), Running(), crashed):
        client.set_flow_run_state(evicted, state, force=True)
    assert read(evicted).run_count == 2
    later = run_of(client, "production", Pending(), Running(), crashed)
    wait_for(lambda: read(later).state_name == "AwaitingRetry", 60, "the next is not started again")
    assert {run: read(run).state_name for run in (evicted, never_began, failed, foreign)} == {
        evicted: "Crashed",
        never_began: "Crashed",
        failed: "Failed",
        foreign: "Crashed",
    }
