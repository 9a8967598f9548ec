"""Helps for the services that the demo runs as processes of its own: one lock, private files, an end."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

LOCK_SECONDS = 120
STOP_SECONDS = 30
LAST_LINES = 8


class ServiceUnavailable(RuntimeError):
    """The service cannot be had on this machine; the message names the remedy."""


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One caller at a time, among processes and threads; the lock ends with its holder, even a killed one.

    Raises ServiceUnavailable if it is not to be had within LOCK_SECONDS.
    """
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(FileLock(directory / "lock", timeout=LOCK_SECONDS))
        except Timeout as failure:
            raise ServiceUnavailable(
                f"Another process has held {failure.lock_file} for {LOCK_SECONDS} s."
            ) from None
        yield


def write_private(path: Path, text: str) -> None:
    """Write `text` with mode 0600, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def last_lines(log_file: Path) -> str:
    """The end of a server's log, for people who want to know why it has not started."""
    return "\n".join(log_file.read_text(errors="replace").splitlines()[-LAST_LINES:])


def end_process(process: psutil.Process | None, is_violent: bool) -> None:
    """End a server and wait for its end, by SIGKILL if `is_violent`, or if it does not end in time."""
    if process is None:
        return
    process.kill() if is_violent else process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
