"""One run writes a lake: on a disk by a lock, on an object store by a lease that a dead run loses."""

import threading
from collections.abc import Callable

import pytest

from blocks.settings.failures import TransientFailure
from lake.delta import Lake
from tasks.warehouse import file_lock, lake_lock
from tasks.warehouse.lake_lock import TABLE, _Lease
from tasks.warehouse.lake_lock import lake_lock as locked


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "LOCK_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(lake_lock, "ASK_SECONDS", 0.1)
    monkeypatch.setattr(lake_lock, "SILENT_SECONDS", 0.5)


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that says on which machine this process is."""
    return lambda node: monkeypatch.setattr(lake_lock.platform, "node", lambda: node)


def numbers(lake: Lake) -> int:
    return lake.table(TABLE).transaction_version(lake_lock.NUMBER) or 0


def test_on_a_disk_two_wait_and_the_dead_hold_nothing(lake: Lake) -> None:
    with locked(lake), pytest.raises(TransientFailure, match="another run has held the lake"), locked(lake):
        pass
    with locked(lake):
        assert lake.folders() == []


def test_a_lease_that_is_renewed_is_held_and_one_that_is_given_back_is_free(
    lake: Lake, elsewhere: Callable[[str], None]
) -> None:
    elsewhere("one")
    first = _Lease(lake)
    first.take()
    stop = threading.Event()
    lake_lock.RENEW_SECONDS, before = 0.1, lake_lock.RENEW_SECONDS
    renewing = threading.Thread(target=first.renew_until, args=(stop,))
    renewing.start()
    try:
        elsewhere("two")
        with pytest.raises(TransientFailure, match=r"another run \(one-\w+/\d+/\w+\) has held the lake"):
            _Lease(lake).take()
    finally:
        lake_lock.RENEW_SECONDS = before
        stop.set()
        renewing.join()
    first.write("")
    _Lease(lake).take()
    assert lake.table(TABLE).to_pyarrow_table()["holder"][0].as_py().startswith("two-")


def test_a_lease_that_nobody_renews_is_taken_whatever_the_clocks_say(
    lake: Lake, elsewhere: Callable[[str], None]
) -> None:
    elsewhere("one")
    _Lease(lake).take()
    elsewhere("two")
    second = _Lease(lake)
    # It has to see for itself that nothing comes.
    assert not second._try_to_take()
    second.take()
    assert numbers(lake) == 2


def test_the_lease_of_a_process_that_died_here_is_free_at_once(lake: Lake) -> None:
    dead = _Lease(lake)
    dead.holder = f"{dead.machine}/{2**22 + 1}/0"
    dead.take()
    assert _Lease(lake)._try_to_take()


def test_of_two_that_see_a_free_lease_one_gets_it(lake: Lake) -> None:
    one, two = _Lease(lake), _Lease(lake)
    assert (one._held_by(), two._held_by()) == ("", "")
    assert one._commit(one.holder)
    with pytest.raises(lake_lock.DeltaError):
        two._commit(two.holder)
    assert two._held_by() == one.holder
    assert not two._try_to_take()
