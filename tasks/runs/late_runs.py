"""Scheduled runs that piled up while no worker took them: each leaves its day to the last of them."""

import datetime as dt
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec
from uuid import UUID

from prefect import get_client
from prefect.client.schemas import State
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterExpectedStartTime,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.context import FlowRunContext
from prefect.states import Completed

P = ParamSpec("P")
# Deployments' alerts know the name (deployments/resources/rules.py).
SKIPPED = "Skipped"
TO_BE_RUN = [StateType.SCHEDULED, StateType.PENDING, StateType.RUNNING, StateType.COMPLETED]


def unless_superseded(run: Callable[P, None]) -> Callable[P, State | None]:
    """Make a daily flow end as Skipped if the schedule has started, or is late to start, a later run of it.

    A run covers every day up to its own, so the later one does this one's, too. A run that a person started
    is never skipped.
    """

    @wraps(run)
    def run_or_skip(*args: P.args, **kwargs: P.kwargs) -> State | None:
        later = _later_start()
        if later is None:
            run(*args, **kwargs)
            return None
        return Completed(
            name=SKIPPED, message=f"The run scheduled for {later:%Y-%m-%d %H:%M} UTC covers this day, too"
        )

    return run_or_skip


def _later_start() -> dt.datetime | None:
    """The scheduled start of the last run of this run's schedule that is due and later than this one."""
    context = FlowRunContext.get()
    present = context.flow_run if context else None
    if present is None or not present.auto_scheduled or present.deployment_id is None:
        return None
    due = _scheduled(present.deployment_id, present.expected_start_time or dt.datetime.now(dt.UTC))
    return max(due, default=None)


def _scheduled(deployment: UUID, after: dt.datetime) -> list[dt.datetime]:
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(
            flow_run_filter=FlowRunFilter(
                deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=TO_BE_RUN)),
                expected_start_time=FlowRunFilterExpectedStartTime.model_validate(
                    {"after_": after, "before_": dt.datetime.now(dt.UTC)}
                ),
            )
        )
    starts = [each.expected_start_time for each in found if each.auto_scheduled and each.expected_start_time]
    return [start for start in starts if start > after]
