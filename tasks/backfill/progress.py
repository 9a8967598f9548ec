"""The progress of a backfill, in the log, which a terminal shows, and as an artifact in Prefect's UI."""

import time
from collections.abc import Iterator, Sequence
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.logging import get_run_logger

from tasks.backfill.plan import Day, Plan
from tasks.backfill.screen import summary


def log_plan(plan: Plan) -> None:
    """Log what there is to do."""
    for sentence in summary(plan):
        get_run_logger().info("%s", sentence)


def in_progress(days: Sequence[Day]) -> Iterator[Day]:
    """The days, one by one; each is reported once the caller asks for the next."""
    if not days:
        return
    logger, begun = get_run_logger(), time.monotonic()
    artifact = create_progress_artifact(
        0.0, key="backfill-progress", description=f"{len(days)} days to extract"
    )
    # Prefect's functions answer with a coroutine where an event loop runs; in a flow's thread none does.
    assert isinstance(artifact, UUID)
    for number, day in enumerate(days, start=1):
        yield day
        left = (time.monotonic() - begun) / number * (len(days) - number)
        logger.info("%s is in the lake: %d of %d days, about %.0f s to go", day.ds, number, len(days), left)
        update_progress_artifact(
            artifact, 100 * number / len(days), description=f"{number} of {len(days)} days, up to {day.ds}"
        )
