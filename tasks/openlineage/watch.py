"""A run and its steps as OpenLineage sees them: each begins, and completes or fails.

Off unless somebody wants the events, and never the reason that a run fails: what cannot be sent is a warning,
and ends the sending for this run.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from prefect.logging import get_logger

from blocks.settings.extras import check_extra
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from tasks.ledger.run import Run
from tasks.openlineage.wanted import is_wanted
from tasks.timing import Watch, unwatched


@contextmanager
def watched_run(run: Run, settings: Settings) -> Iterator[Watch]:
    """Send the events of a run, and give what sends those of its steps."""
    if not is_wanted(settings):
        yield unwatched
        return
    try:
        check_extra("bi")
    except PermanentFailure as missing:
        get_logger("openlineage").warning("no OpenLineage events: %s", missing)
        yield unwatched
        return
    # Of the extra, and half a second to import.
    from tasks.openlineage.events import Sender

    sender = Sender(run, settings)
    with sender.run_events():
        yield sender.step_events
