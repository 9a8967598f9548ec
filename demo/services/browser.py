"""A headless Chromium, by its DevTools protocol: what a page shows, asks for and complains of."""

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect
from websockets.sync.connection import Connection

CHROMIUM = shutil.which("chromium")
WAIT_SECONDS = 60


class BrowserUnavailable(RuntimeError):
    """No Chromium could be started here; the message names the remedy."""


class Page:
    """One tab. `requests`: the addresses it asked for; `complaints`: what it wrote to the console."""

    def __init__(self, socket: Connection) -> None:
        self.socket, self.calls = socket, 0
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a DevTools method; notes the events that come before its answer. Raises RuntimeError."""
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=WAIT_SECONDS))
            if message.get("id") == self.calls:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self._note(message)

    def open(self, place: Path | str, width: int, ready: str, height: int = 900, scale: float = 1) -> None:
        """Show a file or an address `width` pixels wide; returns once the expression `ready` is true."""
        self.requests, self.complaints = [], []
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 500,
        )
        self.call("Page.navigate", url=place.as_uri() if isinstance(place, Path) else place)
        # While it loads there is no body yet.
        self.wait(f"!!document.body && ({ready})", lambda: bool(self.requests))

    def wait(self, ready: str, also: Callable[[], bool] = lambda: True) -> None:
        """Return once the expression `ready` is true. Raises TimeoutError."""
        give_up = time.monotonic() + WAIT_SECONDS
        while not (also() and self.evaluate(ready)):
            if time.monotonic() > give_up:
                raise TimeoutError(f"never became true: {ready}; {self.complaints}")
            time.sleep(0.05)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression. Raises RuntimeError if the page throws."""
        outcome = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in outcome:
            raise RuntimeError(f"{expression}: {outcome['exceptionDetails']}")
        return outcome["result"].get("value")

    def picture(self) -> bytes:
        """What the window shows, as a PNG, once it has not changed for two seconds. Raises TimeoutError."""
        give_up = time.monotonic() + WAIT_SECONDS
        shown, same = b"", 0
        while same < 4:
            if time.monotonic() > give_up:
                raise TimeoutError("the page never stood still")
            time.sleep(0.5)
            before, shown = shown, base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
            same = same + 1 if shown == before else 0
        return shown

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
    """A Chromium that reaches this machine only, with an empty profile in the folder `profile`.

    Raises BrowserUnavailable.
    """
    if CHROMIUM is None:
        raise BrowserUnavailable("no chromium here: install the package `chromium`")
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--enable-unsafe-swiftshader"]
    command += ["--hide-scrollbars", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    command += ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            with connect(_address(profile), max_size=None) as socket:
                yield Page(socket)
        finally:
            process.terminate()


def _address(profile: Path) -> str:
    """The WebSocket of the first tab; Chromium writes its port into its profile."""
    written = profile / "DevToolsActivePort"
    give_up = time.monotonic() + WAIT_SECONDS
    while not (written.exists() and written.read_text().strip()):
        if time.monotonic() > give_up:
            raise BrowserUnavailable("Chromium did not start")
        time.sleep(0.05)
    port = written.read_text().split()[0]
    tabs = httpx.get(f"http://127.0.0.1:{port}/json", timeout=WAIT_SECONDS).json()
    return next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
