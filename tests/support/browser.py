"""A headless Chromium, spoken to through its DevTools protocol: what a page shows, asks for and complains of."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect

CHROMIUM = shutil.which("chromium")
PATIENCE_SECONDS = 60


class Page:
    """One tab. `requests` are the addresses it asked for, `complaints` what it wrote to the console or threw."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket, self.calls = socket, 0
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a DevTools method; notes the events that come before its answer."""
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE_SECONDS))
            if message.get("id") == self.calls:
                assert "error" not in message, message
                return message["result"]
            self._note(message)

    def open(self, path: Path, width: int, ready: str) -> None:
        """Show a file `width` pixels wide, and wait until the expression `ready` is true."""
        self.requests, self.complaints = [], []
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        self.call("Page.navigate", url=path.as_uri())
        give_up = time.monotonic() + PATIENCE_SECONDS
        while not (self.requests and self.evaluate(ready)):
            assert time.monotonic() < give_up, f"never became true: {ready}; {self.complaints}"
            time.sleep(0.05)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        outcome = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in outcome, outcome["exceptionDetails"]
        return outcome["result"].get("value")

    def _note(self, message: dict[str, Any]) -> None:
        details = message["params"]
        match message["method"]:
            case "Network.requestWillBeSent":
                self.requests.append(details["request"]["url"])
            case "Runtime.consoleAPICalled":
                self.complaints.append(str(details["args"]))
            case "Runtime.exceptionThrown":
                self.complaints.append(str(details["exceptionDetails"]))
            case "Log.entryAdded":
                self.complaints.append(details["entry"]["text"])


@contextmanager
def open_browser(profile: Path) -> Iterator[Page]:
    """A Chromium that can reach nobody, with an empty profile in the folder `profile`."""
    assert CHROMIUM
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    command += [f"--user-data-dir={profile}", "--host-resolver-rules=MAP * ~NOTFOUND", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_address(profile), max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()


def _address(profile: Path) -> str:
    """The WebSocket of the first tab; Chromium writes its port into its profile."""
    told = profile / "DevToolsActivePort"
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not (told.exists() and told.read_text().strip()):
        assert time.monotonic() < give_up, "Chromium did not start"
        time.sleep(0.05)
    port = told.read_text().split()[0]
    tabs = httpx.get(f"http://127.0.0.1:{port}/json", timeout=PATIENCE_SECONDS).json()
    return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
