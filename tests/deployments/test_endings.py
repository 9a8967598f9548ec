"""A run that is ended from outside, by SIGTERM or SIGKILL, under a worker (with its worker: test_alerts.py).

It ends on record, leaves no process, no lock and no half, and the same run, started again by the server, is right.
"""

import signal

import psutil
import pytest

from tests.deployments.conftest import Site, assert_marts_are_right, wait_for
from tests.support.rows import DAY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def total(site: Site) -> list[tuple]:
    return site.platform.execute(
        "update orders set amount = amount + 1, updated_at = updated_at + interval '1 minute' returning order_id"
    )


def test_a_run_that_is_ended_from_outside_is_started_again_and_right(working: Site) -> None:
    ends = {}
    for how in (signal.SIGTERM, signal.SIGKILL):
        assert len(total(working)) == 20
        run_id = working.start_run(ds=DAY.isoformat())
        wait_for(lambda run=run_id: working.state(run) == "Running", 120, f"it has not begun: {how.name}")
        assert working.worker
        family = psutil.Process(working.worker.pid).children(recursive=True)
        assert family
        for process in family:
            process.send_signal(how)
        ends[run_id] = working.wait_for_end(run_id, 240)
        assert ends[run_id] in ("Crashed", "Failed", "Cancelled"), how.name
        psutil.wait_procs(family, 60)
        assert not [process for process in family if process.is_running()], how.name
    crashed = [run for run, end in ends.items() if end == "Crashed"]
    assert run_id in crashed, "nobody could make another end of SIGKILL"
    # A minute and a half later, the server gives them to the worker once more.
    for run_id in crashed:
        wait_for(lambda run=run_id: working.state(run) == "Completed", 600, "it has not been started again")
    assert_marts_are_right(working)
