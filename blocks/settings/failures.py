"""Classes of failures, and what happens after each (docs/decisions.md, "Failure classes").

| class              | what happens                                                        |
|--------------------|---------------------------------------------------------------------|
| TransientFailure   | retried: 2 retries, `RETRY_DELAY_SECONDS` apart                      |
| PermanentFailure   | fails at once; the message says what to do                           |
| DataFailure        | fails at once, nothing downstream runs, nothing is published         |

Anything else that escapes a task is a bug and is treated as permanent.
"""

import re
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from blocks.settings.environment import RetrySettings, UnreadableEnvFile

if TYPE_CHECKING:
    # Prefect takes a second to import, and `flows.status` has none to spare.
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun

# What delta-rs and Arrow say of an object store that may yet answer: they have tried several times by then,
# or the answer has stopped half way.
STORE_OUTAGE = re.compile(
    r"after \d+ retries|response body error|AWS Error "
    r"(NETWORK_CONNECTION|INTERNAL_FAILURE|SERVICE_UNAVAILABLE|SLOW_DOWN|THROTTLING|REQUEST_TIMEOUT)"
)


def wrong_configuration(error: ValidationError) -> str:
    """A sentence about settings that cannot be: each variable, and what is wrong with it."""
    wrong = "; ".join(f"{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors())
    return f"error: wrong configuration: {wrong}; correct the environment or .env"


class PipelineFailure(Exception):
    """A foreseen failure: its message names the thing, the place and the remedy.

    `troubles` are names of what is wrong, for failures whose message differs from run to run.
    """

    def __init__(self, message: str, troubles: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.troubles = troubles


class TransientFailure(PipelineFailure):
    """Likely to pass by itself: connection refused, a 5xx answer, a lock held by someone else."""


class PermanentFailure(PipelineFailure):
    """Needs a person: bad credentials, a missing table, an unwritable lake."""


class DataFailure(PipelineFailure):
    """The data are wrong: a critical expectation, a contract break, totals that disagree."""


def is_transient(_task: "Task[..., Any]", _run: "TaskRun", state: "State[Any]") -> bool:
    """Prefect's `retry_condition_fn`: only a TransientFailure, or a store's outage, is worth another try."""
    failure = state.result(raise_on_failure=False)
    return isinstance(failure, TransientFailure) or is_store_outage(failure)


def is_store_outage(error: object) -> bool:
    """Whether an error is that of an object store which could not be reached, or could not do its work."""
    return isinstance(error, Exception) and bool(STORE_OUTAGE.search(str(error)))


def retry_delay_seconds() -> float:
    """The seconds before a retry.

    The default's where `.env` cannot be read: an import must not fail, and whatever reads settings next will.
    """
    try:
        return RetrySettings().retry_delay_seconds
    except UnreadableEnvFile:
        return RetrySettings.model_fields["retry_delay_seconds"].default


RETRY_TRANSIENT: dict[str, Any] = {
    "retries": 2,
    "retry_delay_seconds": retry_delay_seconds(),
    "retry_condition_fn": is_transient,
}
