"""Servers that are started on this machine: their ports, their ends, and the wait for their answers."""

import contextlib
import itertools
import operator
import random
import socket
from collections.abc import Callable, Sequence

from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

LOOPBACK = "127.0.0.1"
# Below the ports that systems give to outgoing connections and to servers that ask for any: between the
# choice of a port and the start of its server, which may take seconds, nobody is given it.
CHOICE = range(20_000, 32_000)

# Ends the server when standard input closes: only the process that started it holds the other end.
_UNTIL_INPUT_CLOSES = """
exec 3<&0
"$@" & server=$!
{ read -r _ <&3; kill $server; } & watch=$!
{ wait $server; kill $watch; } 2> /dev/null
"""


def until_input_closes(command: Sequence[str]) -> list[str]:
    """The command of a server that ends when its standard input closes: with the process that started it."""
    return ["sh", "-c", _UNTIL_INPUT_CLOSES, "sh", *command]


def free_port(preferred: int = 0) -> int:
    """`preferred` if it is free on loopback, else one that is."""
    return preferred if preferred and _is_free(preferred) else free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many different free ports."""
    ports = list(itertools.islice(filter(_is_free, random.SystemRandom().sample(CHOICE, len(CHOICE))), count))
    if len(ports) < count:
        raise OSError(f"no free port on {LOOPBACK}")
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        # As servers do; without it a port with closed connections in TIME_WAIT looks taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, port))
        return True
    return False


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
