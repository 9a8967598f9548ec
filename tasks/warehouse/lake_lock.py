"""One writer of the lake at a time, also of runs on several machines that have no server in common.

On a disk it is a file lock. On an object store it is a lease: a row of `ops.writer` that its holder renews.
Clocks of machines differ, so none is read: a lease that is not renewed while another run watches is free.
Whoever slept meanwhile learns it before it writes: it renews and returns only what is still its own.
"""

import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
from deltalake import CommitProperties, Transaction, write_deltalake
from deltalake.exceptions import DeltaError
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from blocks.lake_storage import one_line
from blocks.settings.failures import PermanentFailure, TransientFailure
from lake.delta import Lake
from lake.right import held_right
from tasks.warehouse import file_lock

TABLE = "ops.writer"
# Grain: one row, the run that writes now or wrote last; `holder` is empty if it has ended.
SCHEMA = pa.schema([("holder", pa.string())])
# Application transaction: counts takings, renewals and returns. Of two commits of a number Delta takes one.
NUMBER = "lease"
RENEW_SECONDS = 20.0
# A run that is not heard of for so long is dead.
SILENT_SECONDS = 90.0
ASK_SECONDS = 2.0


@contextmanager
def lake_lock(lake: Lake) -> Iterator[None]:
    """Hold the right to write silver, gold and the tables' windows of bronze.

    Raises TransientFailure if another run holds it all the time. Who loses it while it sleeps gets a
    PermanentFailure at its next write.
    """
    place = urlsplit(lake.root)
    if place.scheme == "file":
        file = Path(url2pathname(place.path)) / ".writer.lock"
        with file_lock.writer_lock(file, f"the lake {lake.root}", "check LAKE_URI"):
            yield
        return
    lease = _Lease(lake)
    lease.take()
    stop = threading.Event()
    renewing = threading.Thread(target=lease.renew_until, args=(stop,), daemon=True)
    renewing.start()
    try:
        with held_right(lease.check):
            yield
    finally:
        stop.set()
        renewing.join()
        lease.write("")


class _Lease:
    """The lease of one run, which it takes once."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.table = lake.ensure(TABLE, SCHEMA)
        # The thread that renews it, and those of the run that ask, have one table.
        self.turn = threading.Lock()
        # Two machines may have one name, and a process may have the number of one that died.
        self.machine = f"{platform.node()}-{uuid.getnode():x}"
        self.holder = f"{self.machine}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
        # The number of the last commit that it has seen, by whom that was, and when it first saw it.
        self.seen, self.seen_holder, self.seen_at = -1, "", 0.0

    def take(self) -> None:
        """Wait until it is free, then take it."""
        patience = file_lock.LOCK_TIMEOUT_SECONDS
        ask = Retrying(
            retry=retry_if_result(lambda taken: not taken),
            stop=stop_after_delay(patience),
            wait=wait_fixed(ASK_SECONDS),
        )
        try:
            ask(self._try_to_take)
        except RetryError:
            raise TransientFailure(
                f"another run ({self.seen_holder}) has held the lake {self.lake.root} for {patience} s"
            ) from None

    def renew_until(self, stop: threading.Event) -> None:
        """Renew it every RENEW_SECONDS; a store that does not answer now is asked again."""
        while not stop.wait(RENEW_SECONDS):
            self.write(self.holder)

    def write(self, holder: str) -> bool:
        """Name the `holder` of a lease that is ours, by the next number; whether that was done.

        It is not if the lease is another's by now, also if that has just come first, or the store is silent.
        """
        with suppress(DeltaError, OSError):
            return self._held_by() == self.holder and self._commit(holder)
        return False

    def check(self) -> None:
        """Raise PermanentFailure if another run has taken it, TransientFailure if the store does not say."""
        try:
            held_by = self._held_by()
        except (DeltaError, OSError) as error:
            raise TransientFailure(
                f"cannot ask the lake {self.lake.root} who writes it ({one_line(error)})"
            ) from error
        if held_by != self.holder:
            raise PermanentFailure(
                f"this run was silent for {SILENT_SECONDS:.0f} s or more, asleep or cut off, and lost its "
                f"right to write the lake {self.lake.root} to {held_by or 'a run that has ended'}; it stops "
                "before its next write. Nothing is lost: run it again"
            )

    def _try_to_take(self) -> bool:
        held_by = self._held_by()
        if held_by == self.holder:
            # Taken, though the store's answer to that was lost.
            return True
        with suppress(DeltaError):
            return self._is_free(held_by) and self._commit(self.holder)
        return False

    def _is_free(self, holder: str) -> bool:
        machine, _, process = holder.partition("/")
        is_dead_here = machine == self.machine and not _lives(int(process.partition("/")[0]))
        return not holder or is_dead_here or time.monotonic() - self.seen_at > SILENT_SECONDS

    def _held_by(self) -> str:
        """Who holds it now: asks the store for what is new, and reads only that."""
        with self.turn:
            self.table.update_incremental()
            number = self.table.transaction_version(NUMBER) or 0
            if number != self.seen:
                [self.seen_holder] = self.table.to_pyarrow_table()["holder"].to_pylist() or [""]
                self.seen, self.seen_at = number, time.monotonic()
            return self.seen_holder

    def _commit(self, holder: str) -> bool:
        """Commit the number after the one that was seen; raises DeltaError if another run has done so."""
        with self.turn:
            write_deltalake(
                self.table,
                pa.table({"holder": [holder]}, schema=SCHEMA),
                mode="overwrite",
                commit_properties=CommitProperties(
                    app_transactions=[Transaction(NUMBER, self.seen + 1)], max_commit_retries=0
                ),
            )
        return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Another user's.
        return True
    return True
