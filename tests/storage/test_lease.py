"""Two runs on two machines and one lake on an object store, one of which sleeps: the other's rows stay right."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest
from deltalake import DeltaTable

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import PermanentFailure, TransientFailure
from lake.delta import Lake, commit
from lake.right import check_right
from tasks.warehouse import file_lock, lake_lock
from tests.storage.conftest import Store
from tests.support.lease_child import RENEW_SECONDS, put
from tests.support.proxy import open_proxy

SILENT_SECONDS = 1.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_lock, "ASK_SECONDS", 0.1)
    monkeypatch.setattr(lake_lock, "RENEW_SECONDS", RENEW_SECONDS)
    monkeypatch.setattr(lake_lock, "SILENT_SECONDS", SILENT_SECONDS)


@pytest.fixture
def other(s3_lake: Lake) -> Iterator[subprocess.Popen[str]]:
    """A run elsewhere that holds the lease."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.lease_child", s3_lake.root, str(SILENT_SECONDS)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def ask(child: subprocess.Popen[str], number: int) -> str:
    """Have the other run append; returns what it says."""
    assert child.stdin
    assert child.stdout
    child.stdin.write(f"{number}\n")
    child.stdin.flush()
    return child.stdout.readline().strip()


def rows(lake: Lake) -> list[int]:
    return sorted(DeltaTable(lake.uri("bronze.things")).to_pyarrow_table()["id"].to_pylist())


def holder(lake: Lake) -> str:
    table = lake.table(lake_lock.TABLE)
    assert table
    return str(table.to_pyarrow_table()["holder"][0])


def test_a_run_that_slept_stops_before_it_writes_and_leaves_the_lease_to_its_successor(
    s3_lake: Lake, other: subprocess.Popen[str]
) -> None:
    assert ask(other, 1) == "done"
    os.kill(other.pid, signal.SIGSTOP)
    with lake_lock.lake_lock(s3_lake):
        ours = holder(s3_lake)
        assert put(s3_lake, 2) == "done"
        os.kill(other.pid, signal.SIGCONT)
        # A dozen of its renewals, and its own write.
        time.sleep(12 * RENEW_SECONDS)
        said = ask(other, 3)
        assert said.startswith("PermanentFailure: this run was silent for 1 s or more")
        assert ours in said
        assert said.endswith("run it again")
        assert put(s3_lake, 4) == "done"
        # Its end gives nothing back that is not its own.
        other.communicate(timeout=30)
        assert other.returncode == 0
        assert holder(s3_lake) == ours
        check_right()
    assert holder(s3_lake) == ""
    assert rows(s3_lake) == [1, 2, 4]


def test_a_run_that_sleeps_less_goes_on(
    s3_lake: Lake, other: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_lock, "LOCK_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(lake_lock, "SILENT_SECONDS", 60)
    os.kill(other.pid, signal.SIGSTOP)
    with pytest.raises(TransientFailure, match="has held the lake"), lake_lock.lake_lock(s3_lake):
        pass
    os.kill(other.pid, signal.SIGCONT)
    assert ask(other, 1) == "done"
    assert rows(s3_lake) == [1]


@pytest.mark.slow
def test_a_store_that_does_not_say_who_writes_is_transient(
    moto: Store, point_at: Callable[..., Lake]
) -> None:
    with open_proxy(moto.url) as proxy:
        lake = point_at(moto, url=proxy.url)
        with lake_lock.lake_lock(lake):
            commit()
            proxy.end()
            with pytest.raises(TransientFailure, match=r"cannot ask the lake s3://.* who writes it"):
                commit()


def test_the_lease_of_a_machine_of_the_same_name_is_not_taken_for_that_of_a_dead_process(
    s3_lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = lake_lock._Lease(s3_lake)
    there.holder = there.holder.replace(f"/{os.getpid()}/", f"/{2**22 + 1}/")
    there.take()
    monkeypatch.setattr(lake_lock.uuid, "getnode", lambda: 1)
    assert not lake_lock._Lease(s3_lake)._try_to_take()


def test_a_taking_whose_answer_was_lost_is_known_again(s3_lake: Lake) -> None:
    lease = lake_lock._Lease(s3_lake)
    assert lease._held_by() == ""
    lease._commit(lease.holder)
    assert lease._try_to_take()
    assert lease.write("")
    # It is no longer ours.
    assert not lease.write(lease.holder)
    with pytest.raises(PermanentFailure, match="to a run that has ended"):
        lease.check()
