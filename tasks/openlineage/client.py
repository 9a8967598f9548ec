"""OpenLineage's client, as the settings or its own configuration want it. Needs the extra bi."""

from collections.abc import Iterator

from openlineage.client import OpenLineageClient
from openlineage.client.client import Event
from openlineage.client.transport import Transport
from openlineage.client.transport.composite import CompositeTransport
from openlineage.client.transport.http import HttpTransport
from prefect.logging import get_logger
from requests import HTTPError

from blocks.settings.settings import Settings
from tasks.openlineage.wanted import has_own_configuration

# How long a receiver may take over one event, unless OpenLineage's configuration says another time.
TIMEOUT_SECONDS = 5.0


def open_client(settings: Settings) -> OpenLineageClient:
    """The client. OpenLineage's own configuration wins over our address; no event is sent twice.

    Raises whatever the client raises for a configuration that is wrong.
    """
    url = settings.openlineage_url.get_secret_value()
    if has_own_configuration() or not url:
        client = OpenLineageClient()
    else:
        config: dict[str, object] = {"type": "http", "url": url, "timeout": TIMEOUT_SECONDS}
        if key := settings.openlineage_api_key.get_secret_value():
            config["auth"] = {"type": "api_key", "apiKey": key}
        client = OpenLineageClient(config={"transport": config})
    client.transport = Receivers(client.transport)
    return client


class Receivers(Transport):
    """All that take events, each until it has once failed to."""

    kind = "receivers"

    def __init__(self, transport: Transport) -> None:
        self.live = list(_single(transport))
        for each in self.live:
            if isinstance(each, HttpTransport):
                # By default five times, and a run would wait for each.
                each.config.retry = {"total": 0}

    def emit(self, event: Event) -> None:
        """Send an event to all that are left; one that fails is a warning, and gets no more."""
        for receiver in list(self.live):
            try:
                receiver.emit(event)
            except Exception as error:
                self.live.remove(receiver)
                # Its own words may hold the address, with a password.
                status = error.response.status_code if isinstance(error, HTTPError) else ""
                get_logger("openlineage").warning(
                    "no more OpenLineage events of this run by %s: %s %s",
                    receiver.kind,
                    type(error).__name__,
                    status,
                )

    def close(self, timeout: float = -1.0) -> bool:
        """Wait for events that are on their way."""
        return sum(not receiver.close(timeout) for receiver in self.live) == 0


def _single(transport: Transport) -> Iterator[Transport]:
    if isinstance(transport, CompositeTransport):
        for part in transport.transports:
            yield from _single(part)
    else:
        yield transport
