"""What becomes of a failure, in real task runs: which are tried again, and how often."""

from typing import Any

import pytest
from prefect import flow, task

from blocks.settings.failures import RETRY_TRANSIENT, DataFailure, PermanentFailure, TransientFailure

# As delta-rs said it of a listing that stopped half way.
HALF_AN_ANSWER = (
    "Kernel error -> Generic S3 error: Error getting list response body: HTTP error: request or response body "
    "error: operation timed out"
)
pytestmark = pytest.mark.usefixtures("prefect_server")


def attempts(failures: list[Exception | None], submit: bool) -> tuple[int, Exception | None]:
    """Run a task that fails in turn with these (None: succeeds); returns how often it ran, and the end."""
    calls = []

    @task(**RETRY_TRANSIENT)
    def attempt() -> str:
        calls.append(1)
        failure = failures[min(len(calls), len(failures)) - 1]
        if failure is not None:
            raise failure
        return "done"

    @flow(name="test-retries")
    def run() -> Any:
        return attempt.submit().result() if submit else attempt()

    try:
        assert run() == "done"
    except Exception as error:
        return len(calls), error
    return len(calls), None


@pytest.mark.parametrize("submit", [False, True], ids=["called", "submitted"])
@pytest.mark.parametrize(
    ("failures", "calls", "end"),
    [
        pytest.param(
            [TransientFailure("no answer")], 3, TransientFailure, id="transient: two retries, then fails"
        ),
        pytest.param([TransientFailure("no answer"), None], 2, None, id="transient, then well"),
        pytest.param(
            [TransientFailure("no answer"), TransientFailure("no answer"), None], 3, None, id="well at last"
        ),
        pytest.param([OSError(HALF_AN_ANSWER)], 3, OSError, id="half of a store's answer: two retries"),
        pytest.param([PermanentFailure("bad password")], 1, PermanentFailure, id="permanent: at once"),
        pytest.param([DataFailure("wrong totals")], 1, DataFailure, id="data: at once"),
        pytest.param([ValueError("a bug")], 1, ValueError, id="anything else: at once"),
        pytest.param(
            [TransientFailure("no answer"), DataFailure("wrong")], 2, DataFailure, id="data on the retry"
        ),
    ],
)
def test_attempts(
    failures: list[Exception | None], calls: int, end: type[Exception] | None, submit: bool
) -> None:
    made, error = attempts(failures, submit)
    assert made == calls
    assert error is None if end is None else type(error) is end


def test_every_task_that_reads_a_source_is_retried() -> None:
    from tasks.ingest.clickstream import extract_clickstream
    from tasks.ingest.postgres import check_contracts, extract_table

    for each in (check_contracts, extract_table, extract_clickstream):
        assert (each.retries, each.retry_condition_fn) == (2, RETRY_TRANSIENT["retry_condition_fn"])
