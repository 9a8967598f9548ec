"""Free ports, and the wait for a server on this machine. Every port is a real one."""

import socket
import time
from threading import Timer

from spark_jobs.engine.local_server import LOOPBACK, accepts, answers_in_time, free_port, free_ports


def test_the_preferred_port_is_taken_while_it_is_free() -> None:
    port = free_port()
    assert free_port(port) == port
    with socket.create_server((LOOPBACK, port)):
        assert free_port(port) not in (port, 0)


def test_a_port_with_closed_connections_counts_as_free() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((LOOPBACK, port)):
            # Who closes first keeps the port in TIME_WAIT: here the server's side.
            server.accept()[0].close()
    assert free_port(port) == port


def test_several_ports_are_different_ones() -> None:
    assert len(set(free_ports(20))) == 20


def test_a_server_that_listens_is_waited_for() -> None:
    port = free_port()
    servers: list[socket.socket] = []
    late = Timer(0.3, lambda: servers.append(socket.create_server((LOOPBACK, port))))
    late.start()
    try:
        assert not accepts(port)
        assert answers_in_time(lambda: accepts(port), lambda: True, seconds=10)
    finally:
        late.join()
        servers[0].close()


def test_a_dead_server_is_not_waited_for() -> None:
    began = time.monotonic()
    assert not answers_in_time(lambda: False, lambda: False, seconds=60)
    assert time.monotonic() - began < 5


def test_patience_ends_and_an_oserror_is_no_answer() -> None:
    def refuse() -> bool:
        raise OSError("not yet")

    assert not answers_in_time(refuse, lambda: True, seconds=0.3)
