"""Runs flows in processes that die on the way, as by a power cut.

Importing everything takes longer than the run itself, so one process imports it and forks for each order. An
order is a line of JSON on standard input: the flow, its arguments, the place (null: the run may live), the
environment, and a file for what the process says. The answer is a line with its exit code. No thread has been
started before the fork.
"""

import json
import os
import signal
import sys
import traceback
from typing import Any

from flows.backfill import backfill
from flows.daily import daily_ecommerce_pipeline
from flows.rebuild import rebuild
from tests.properties.crash import Place, Seam, crashing

FLOWS = {flow.name: flow for flow in (backfill, daily_ecommerce_pipeline, rebuild)}


def die(place: Place) -> None:
    """End this process at once: no `finally`, no handler, no buffer is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


def obey(order: dict[str, Any]) -> int:
    """Run the flow in this process, which may not survive it; returns the exit code."""
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(order["environment"])
    try:
        places = [Place(*order["place"])] if order["place"] else []
        with crashing([Seam(place.module, place.name) for place in places], places.__contains__, die):
            FLOWS[order["flow"]](*order["arguments"])
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(obey(json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201
