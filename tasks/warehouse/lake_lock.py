"""One writer of the lake at a time, also of runs on several machines that have no server in common.

On a disk it is a file lock. On an object store it is a lease: a row of `ops.writer` that its holder renews.
Clocks of machines differ, so none is read: a lease that is not renewed while another run watches is free.
"""

import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import DeltaError
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from blocks.settings.failures import TransientFailure
from lake.delta import Lake
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

    Raises TransientFailure if another run holds it all the time.
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
        yield
    finally:
        stop.set()
        renewing.join()
        lease.write("")


class _Lease:
    """The lease of one run; its number is that of its last commit."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.holder = f"{platform.node()}/{os.getpid()}"
        self.seen, self.seen_at = -1, 0.0

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
                f"another run ({self._held_by()}) has held the lake {self.lake.root} for {patience} s"
            ) from None

    def renew_until(self, stop: threading.Event) -> None:
        """Renew it every RENEW_SECONDS; a store that does not answer now is asked again."""
        while not stop.wait(RENEW_SECONDS):
            self.write(self.holder)

    def write(self, holder: str) -> bool:
        """Commit the next number; False if another run has been faster, or the store does not answer."""
        with suppress(DeltaError, OSError):
            table = self.lake.ensure(TABLE, SCHEMA)
            number = (table.transaction_version(NUMBER) or 0) + 1
            return self._commit(table, number, holder)
        return False

    def _try_to_take(self) -> bool:
        table = self.lake.ensure(TABLE, SCHEMA)
        number = table.transaction_version(NUMBER) or 0
        if number != self.seen:
            self.seen, self.seen_at = number, time.monotonic()
        if not self._is_free(table):
            return False
        with suppress(DeltaError):
            return self._commit(table, number + 1, self.holder)
        return False

    def _is_free(self, table: DeltaTable) -> bool:
        [holder] = table.to_pyarrow_table()["holder"].to_pylist() or [""]
        node, _, pid = holder.rpartition("/")
        is_dead_here = node == platform.node() and holder != self.holder and not _lives(int(pid))
        return not holder or is_dead_here or time.monotonic() - self.seen_at > SILENT_SECONDS

    def _commit(self, table: DeltaTable, number: int, holder: str) -> bool:
        write_deltalake(
            table,
            pa.table({"holder": [holder]}, schema=SCHEMA),
            mode="overwrite",
            commit_properties=CommitProperties(
                app_transactions=[Transaction(NUMBER, number)], max_commit_retries=0
            ),
        )
        return True

    def _held_by(self) -> str:
        table = self.lake.table(TABLE)
        return str(table.to_pyarrow_table()["holder"].to_pylist()) if table else "unknown"


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        # Another user's.
        return True
    return True
