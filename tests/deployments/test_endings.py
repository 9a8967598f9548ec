"""A run that is ended from outside, by SIGTERM or SIGKILL of itself or of its worker (of both: test_alerts.py).

It ends on record, leaves no process, no lock and no half, and the run started again is right.
"""

import signal

import psutil
import pytest

from tests.deployments.conftest import Site, assert_marts_are_right, wait_for
from tests.support.rows import DAY

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def processes(site: Site, is_of_run: bool, is_of_worker: bool) -> list[psutil.Process]:
    assert site.worker
    worker = psutil.Process(site.worker.pid)
    runs = worker.children(recursive=True) if is_of_run else []
    return [*runs, *([worker] if is_of_worker else [])]


def total(site: Site) -> list[tuple]:
    return site.platform.execute(
        "update orders set amount = amount + 1, updated_at = updated_at + interval '1 minute' returning order_id"
    )


def test_a_run_that_is_ended_from_outside_is_made_good_by_the_next(working: Site) -> None:
    for how, is_of_run, is_of_worker in (
        (signal.SIGTERM, True, False),
        (signal.SIGKILL, True, False),
        (signal.SIGTERM, False, True),
        (signal.SIGKILL, False, True),
    ):
        ended = f"{how.name} run={is_of_run} worker={is_of_worker}"
        assert len(total(working)) == 20
        run_id = working.start_run(ds=DAY.isoformat())
        wait_for(lambda run=run_id: working.state(run) == "Running", 120, f"it has not begun: {ended}")
        family = processes(working, True, True)
        for process in processes(working, is_of_run, is_of_worker):
            process.send_signal(how)
        state = working.wait_for_end(run_id, 240)
        assert state in ("Crashed", "Failed", "Cancelled"), ended
        if is_of_worker:
            psutil.wait_procs(family, 60)
            assert not [process for process in family if process.is_running()], ended
            working.start_worker()
    again = working.start_run(ds=DAY.isoformat())
    assert working.wait_for_end(again, 600) == "Completed"
    assert_marts_are_right(working)
