"""The terminal's view of a run: progress and trouble, without noise."""

import atexit
import logging
import os
from functools import cache

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console

from blocks.settings.failures import PipelineFailure


def quiet_logs() -> None:
    """Show only the flows' progress, warnings and errors; foreseen failures without their traceback.

    Only the terminal is quieter: Prefect's server gets every line.
    """
    silence_teardown()
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(_without_traceback)
    for handler in logging.getLogger("prefect").handlers + logging.getLogger().handlers:
        if isinstance(handler, PrefectConsoleHandler):
            handler.addFilter(_matters)


@cache
def silence_teardown() -> None:
    """Close stderr, once per process, after Python's own end, when nothing of ours writes to it any more.

    DuckDB's bindings print a page of reference-leak warnings there whenever prefect-dbt has run.
    """
    # Handlers run in reverse order: call this before anything registers one that may speak.
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), 2))


@cache
def outlive_reader() -> None:
    """Let the process go on, once per process, if whoever reads its output is gone: a worker that has died.

    rich, by which Prefect logs, would end it at the next line, wherever that comes from.
    """
    Console.on_broken_pipe = _speak_to_nobody  # type: ignore[assignment, method-assign]


def _speak_to_nobody(_console: Console) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)


def _matters(record: logging.LogRecord) -> bool:
    # Kafka's client warns of what it tries again by itself, as when a broker has just been started.
    is_warning = record.levelno >= (logging.ERROR if record.name.startswith("kafka.") else logging.WARNING)
    return is_warning or record.name == "prefect.flow_runs"


def _without_traceback(record: logging.LogRecord) -> bool:
    """Foreseen failures say all there is to say in their message."""
    if record.exc_info and isinstance(record.exc_info[1], PipelineFailure):
        record.exc_info = None
    return True
