"""A run and its steps as OpenLineage sees them: each begins, and completes or fails.

Off unless somebody wants the events, and never the reason that a run fails: what cannot be sent is a warning,
and ends the sending for this run.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from prefect.logging import get_logger

from blocks.settings.settings import Settings
from tasks.ledger.run import Run
from tasks.timing import Watch, unwatched

# Where OpenLineage's own client looks for its configuration, besides the environment.
FILES = (Path("openlineage.yml"), Path.home() / ".openlineage" / "openlineage.yml")


@contextmanager
def watched_run(run: Run, settings: Settings) -> Iterator[Watch]:
    """Send the events of a run, and give what sends those of its steps."""
    if not is_wanted(settings):
        yield unwatched
        return
    if not find_spec("openlineage"):
        get_logger("openlineage").warning(
            "no OpenLineage events: the extra bi is missing; install it: `make bi`"
        )
        yield unwatched
        return
    # Of the extra, and half a second to import.
    from tasks.openlineage.events import Sender

    sender = Sender(run, settings)
    with sender.run_events():
        yield _watch(sender)


def is_wanted(settings: Settings) -> bool:
    """Whether there is a receiver, by our settings or by OpenLineage's own configuration."""
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return False
    return bool(settings.openlineage_url.get_secret_value()) or has_own_configuration()


def has_own_configuration() -> bool:
    """Whether OpenLineage's own configuration says where events go."""
    names = ("OPENLINEAGE_CONFIG", "OPENLINEAGE__TRANSPORT__TYPE", "OPENLINEAGE__TRANSPORT")
    return any(os.environ.get(name) for name in names) or any(file.is_file() for file in FILES)


def _watch(sender: Any) -> Watch:
    @contextmanager
    def watch(step: str) -> Iterator[Callable[[Any], None]]:
        with sender.step_events(step) as returned:
            yield returned

    return watch
