"""A TCP proxy with faults, between a client and a server: it delays answers, cuts uploads off, or falls silent.

python tests/support/proxy.py HOST PORT DELAY_SECONDS CUT_AFTER_BYTES STALL_AFTER_BYTES

A process of its own, not a thread: some calls of delta-rs wait for the store with Python's lock held.
Its first line of output is its port; each cut is one more line.
"""

import asyncio
import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

CHUNK_BYTES = 16_384
NEVER = 1 << 62


@dataclass(frozen=True)
class Fault:
    """Forwards to a server at `host:port`."""

    host: str
    port: int
    delay_seconds: float
    """Added to each piece of an answer."""
    cut_after_bytes: int
    """A client that sends more than this over one connection is cut off."""
    stall_after_bytes: int
    """After so many bytes of answers over one connection nothing comes any more, and the connection stays."""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until either side, or a fault, ends it."""
        up_reader, up_writer = await asyncio.open_connection(self.host, self.port)
        ways = [self._upload(reader, up_writer), self._answer(up_reader, writer)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for each in (writer, up_writer):
            each.transport.abort()

    async def _upload(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(CHUNK_BYTES):
                sent += len(piece)
                if sent > self.cut_after_bytes:
                    print("cut", flush=True)
                    return
                writer.write(piece)
                await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered = 0
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(CHUNK_BYTES):
                await asyncio.sleep(self.delay_seconds)
                answered += len(piece)
                if answered > self.stall_after_bytes:
                    print("stalled", flush=True)
                    await asyncio.Event().wait()
                writer.write(piece)
                await writer.drain()


async def main(fault: Fault) -> None:
    """Serve on a port of the system's choice until the process is ended."""
    server = await asyncio.start_server(fault.connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@dataclass
class Proxy:
    """A running proxy; `cuts` and `stalls` are known once it has been closed."""

    url: str
    process: subprocess.Popen[str]
    cuts: int = 0
    stalls: int = 0

    @property
    def port(self) -> int:
        """Where it listens."""
        return urlsplit(self.url).port or 0

    def fall_silent(self) -> None:
        """From now on nothing comes over any connection, and new ones are taken: until `speak`."""
        self.process.send_signal(signal.SIGSTOP)

    def speak(self) -> None:
        """Bring all that was held back."""
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Cut every connection, and refuse new ones."""
        self.process.kill()
        self.process.wait(30)


@contextmanager
def open_proxy(
    upstream: str, delay_seconds: float = 0, cut_after_bytes: int = NEVER, stall_after_bytes: int = NEVER
) -> Iterator[Proxy]:
    """A proxy before the server at `upstream` (`http://host:port`), for the length of the context."""
    store = urlsplit(upstream)
    faults = (delay_seconds, cut_after_bytes, stall_after_bytes)
    process = subprocess.Popen(
        [sys.executable, __file__, *map(str, (store.hostname, store.port, *faults))],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    proxy = Proxy(f"http://127.0.0.1:{int(process.stdout.readline())}", process)
    try:
        yield proxy
    finally:
        proxy.speak()
        process.terminate()
        said = process.communicate(timeout=30)[0]
        proxy.cuts, proxy.stalls = said.count("cut"), said.count("stalled")


if __name__ == "__main__":
    host, port, delay, cut, stall = sys.argv[1:]
    asyncio.run(main(Fault(host, int(port), float(delay), int(cut), int(stall))))
