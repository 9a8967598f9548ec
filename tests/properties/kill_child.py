"""Runs flows in processes that die on the way, as by a power cut.

Importing everything takes longer than the run itself, so one process imports it and forks for each order. An
order is a line of JSON on standard input: the flow, its arguments, the place (null: the run may live), whether
its disk is full there instead, the environment, and a file for what the process says. The answer is a line with its exit code. No thread has been
started before the fork.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import traceback
from typing import Any

from flows.backfill import backfill
from flows.daily import daily_ecommerce_pipeline
from flows.rebuild import rebuild
from tests.properties.crash import Place, Seam, crashing

# Less than any file that matters.
MOST_BYTES = 512
FLOWS = {flow.name: flow for flow in (backfill, daily_ecommerce_pipeline, rebuild)}


def die(place: Place) -> None:
    """End this process at once: no `finally`, no handler, no buffer is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


def fill_disk(place: Place) -> None:
    """Let no file of this process grow any more: as on a full disk, what writes gets an error."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (MOST_BYTES, MOST_BYTES))


def obey(order: dict[str, Any]) -> int:
    """Run the flow in this process, which may not survive it; returns the exit code."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(order["environment"])
    try:
        places = [Place(*order["place"])] if order["place"] else []
        stop = fill_disk if order["is_full"] else die
        with crashing([Seam(place.module, place.name) for place in places], places.__contains__, stop):
            FLOWS[order["flow"]](*order["arguments"])
    except BaseException:
        # The log may be on the disk that is full.
        with contextlib.suppress(OSError):
            traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(obey(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
