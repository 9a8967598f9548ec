"""One writer of a warehouse or a lake at a time, among the processes of one machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from blocks.settings.failures import PermanentFailure, TransientFailure

# A run holds it for minutes: after a longer wait people should be notified.
LOCK_TIMEOUT_SECONDS = 900


@contextmanager
def writer_lock(file: Path, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock `file` of `what`, as people call it. The lock of a dead process is free.

    Raises TransientFailure if another run holds it, PermanentFailure with the remedy if it cannot be made.
    """
    lock = FileLock(file, timeout=LOCK_TIMEOUT_SECONDS)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise TransientFailure(f"another run has held {what} for {LOCK_TIMEOUT_SECONDS} s") from None
    except OSError as error:
        raise PermanentFailure(f"cannot lock {what}: {error}; {remedy}") from error
    try:
        yield
    finally:
        lock.release()
