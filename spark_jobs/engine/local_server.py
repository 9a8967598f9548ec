"""Ports of the servers that are started on this machine, and the wait for their answers."""

import contextlib
import operator
import socket
from collections.abc import Callable

from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

LOOPBACK = "127.0.0.1"


def free_port(preferred: int = 0) -> int:
    """`preferred` if it is free on loopback, else one that the system picks."""
    for port in (preferred, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            # As servers do; without it a port with closed connections in TIME_WAIT looks taken.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise OSError(f"no free port on {LOOPBACK}")


def free_ports(count: int) -> list[int]:
    """As many different free ports: each is held until all are found."""
    with contextlib.ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def accepts(port: int) -> bool:
    """True if a server listens on a port of loopback."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def answers_in_time(answers: Callable[[], bool], lives: Callable[[], bool], seconds: float) -> bool:
    """Wait until the server `answers`, an OSError being no answer; False if it dies first, or on time-out."""
    time_is_up = stop_after_delay(seconds)
    ask = Retrying(
        retry=retry_if_exception_type(OSError) | retry_if_result(operator.not_),
        stop=lambda state: not lives() or time_is_up(state),
        wait=wait_fixed(0.1),
        retry_error_callback=lambda _: False,
    )
    return ask(answers)
