"""A process that does the daily run and dies on the way, as by a power cut.

python -m tests.law.kill_child DS MODULE NAME CALL MOMENT
"""

import datetime as dt
import os
import signal
import sys

from flows.daily import daily_ecommerce_pipeline
from tests.law.crash import Crash, crashing


def die(crash: Crash) -> None:
    """End this process at once: no `finally`, no handler, no buffer is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    day, module, name, call, moment = sys.argv[1:]
    with crashing(Crash(module, name, int(call), moment), die):
        daily_ecommerce_pipeline(dt.date.fromisoformat(day))
