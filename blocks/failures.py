"""How a run can fail, and what happens then (docs/decisions.md, "Failure classes").

| class              | what happens                                                        |
|--------------------|---------------------------------------------------------------------|
| TransientFailure   | retried: 2 retries, `RETRY_DELAY_SECONDS` apart                      |
| PermanentFailure   | fails at once; the message says what to do                           |
| DataFailure        | fails at once, nothing downstream runs, nothing is published         |

Anything else that escapes a task is a bug and is treated as permanent.
"""

from typing import TYPE_CHECKING, Any

from blocks.environment import RetrySettings

if TYPE_CHECKING:
    # Prefect takes a second to import, and `flows.status` has none to spare.
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun


class PipelineFailure(Exception):
    """A failure that we foresaw: its message names the thing, the place and the remedy."""


class TransientFailure(PipelineFailure):
    """Likely to pass by itself: connection refused, a 5xx answer, a lock held by someone else."""


class PermanentFailure(PipelineFailure):
    """Needs a person: bad credentials, a missing table, an unwritable lake."""


class DataFailure(PipelineFailure):
    """The data are wrong: a critical expectation, a contract break, totals that disagree."""


def is_transient(_task: "Task[..., Any]", _run: "TaskRun", state: "State[Any]") -> bool:
    """Prefect's `retry_condition_fn`: only a TransientFailure is worth another try."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, TransientFailure)


RETRY_TRANSIENT: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": RetrySettings().retry_delay_seconds,
    "retry_condition_fn": is_transient,
}
