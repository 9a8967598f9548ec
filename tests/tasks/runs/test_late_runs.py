"""Late runs of a schedule on a real server: the last one runs, the others end as Skipped."""

import datetime as dt
from uuid import UUID, uuid4

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.schedules import CronSchedule
from prefect.flow_engine import run_flow
from prefect.states import Cancelled

from tasks.runs.late_runs import unless_superseded

pytestmark = pytest.mark.usefixtures("prefect_server")

NOW = dt.datetime.now(dt.UTC)
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
ran: list[str] = []


@flow(name="late-runs")
@unless_superseded
def every_day(ds: dt.date | None = None) -> None:
    ran.append("ran")


@pytest.fixture
def late(prefect_server: None) -> list[FlowRun]:
    """Three late runs of a schedule, the oldest first; and the next, which is not due."""
    ran.clear()
    with get_client(sync_client=True) as client:
        schedule = DeploymentScheduleCreate(schedule=CronSchedule(cron="0 0 * * *", timezone="UTC"))
        deployment = client.create_deployment(
            client.create_flow(every_day), f"production-{uuid4()}", schedules=[schedule]
        )
        made = client.request(
            "POST",
            "/deployments/{id}/schedule",
            path_params={"id": deployment},
            json={
                "min_runs": 4,
                "start_time": (MIDNIGHT - dt.timedelta(days=2)).isoformat(),
                "end_time": (MIDNIGHT + dt.timedelta(days=2)).isoformat(),
            },
        )
        made.raise_for_status()
        runs = [run for run in client.read_flow_runs() if run.deployment_id == deployment]
    return sorted(runs, key=lambda run: run.expected_start_time or NOW)


def start(client: SyncPrefectClient, run_id: UUID) -> tuple[str, str]:
    """Run it as a worker would; returns the state's name and message."""
    run_flow(every_day, flow_run=client.read_flow_run(run_id), return_type="state")
    state = client.read_flow_run(run_id).state
    assert state
    return state.name or "", state.message or ""


def test_the_last_late_run_covers_the_others(late: list[FlowRun]) -> None:
    oldest, middle, newest, _ = late[-4:]
    with get_client(sync_client=True) as client:
        name, message = start(client, oldest.id)
        assert (name, ran) == ("Skipped", [])
        assert message == f"The run scheduled for {MIDNIGHT:%Y-%m-%d} 00:00 UTC covers this day, too"
        assert start(client, newest.id)[0] == "Completed"
        assert start(client, middle.id)[0] == "Skipped"
        assert ran == ["ran"]


def test_a_run_that_was_called_off_covers_nothing(late: list[FlowRun]) -> None:
    middle, newest, _ = late[-3:]
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(newest.id, Cancelled(), force=True)
        assert start(client, middle.id)[0] == "Completed"


def test_a_run_that_a_person_starts_is_never_skipped(late: list[FlowRun]) -> None:
    deployment = late[0].deployment_id
    assert deployment
    with get_client(sync_client=True) as client:
        by_hand = client.create_flow_run_from_deployment(deployment)
        assert start(client, by_hand.id)[0] == "Completed"
    every_day()
    assert len(ran) == 2
