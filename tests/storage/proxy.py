"""A TCP proxy with faults, between a client and the S3 store: it delays, or it cuts."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

CHUNK_BYTES = 16_384


class Proxy:
    """Forwards to `upstream`. Set the faults at any time; they are those of the connections from then on."""

    def __init__(self, upstream: str) -> None:
        address = urlsplit(upstream)
        self._upstream = (address.hostname, address.port)
        self.url = ""
        self.delay_seconds = 0.0
        """Added to each piece of an answer."""
        self.cut_after_bytes: int | None = None
        """A client that has sent so much over one connection is cut off."""
        self.cuts = 0

    async def serve(self) -> asyncio.Server:
        """Listen on a port of the system's choice."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        ways = [self._upload(reader, up_writer), self._answer(up_reader, writer)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        for each in (writer, up_writer):
            each.transport.abort()

    async def _upload(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sent = 0
        while piece := await reader.read(CHUNK_BYTES):
            sent += len(piece)
            if self.cut_after_bytes is not None and sent > self.cut_after_bytes:
                self.cuts += 1
                return
            writer.write(piece)
            await writer.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(CHUNK_BYTES):
                await asyncio.sleep(self.delay_seconds)
                writer.write(piece)
                await writer.drain()


@contextmanager
def open_proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy in a thread of its own, before the store at `upstream` (`http://host:port`)."""
    proxy, loop = Proxy(upstream), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(proxy.serve(), loop).result(10)
    yield proxy
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
