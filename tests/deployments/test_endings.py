"""A run that is ended from outside, by SIGTERM or SIGKILL, under a worker (with its worker: test_alerts.py).

It ends on record, leaves no process, no lock and no half, and the run started again is right.
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


def test_a_run_that_is_ended_from_outside_is_made_good_by_the_next(working: Site) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        assert len(total(working)) == 20
        run_id = working.start_run(ds=DAY.isoformat())
        wait_for(lambda run=run_id: working.state(run) == "Running", 120, f"it has not begun: {how.name}")
        assert working.worker
        family = psutil.Process(working.worker.pid).children(recursive=True)
        assert family
        for process in family:
            process.send_signal(how)
        assert working.wait_for_end(run_id, 240) in ("Crashed", "Failed", "Cancelled"), how.name
        psutil.wait_procs(family, 60)
        assert not [process for process in family if process.is_running()], how.name
    again = working.start_run(ds=DAY.isoformat())
    assert working.wait_for_end(again, 600) == "Completed"
    assert_marts_are_right(working)
