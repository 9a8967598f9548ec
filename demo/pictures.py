"""Pictures of what the demo made, for the README: `make pictures`, after `make demo`. Needs Chromium.

docs/images/report.png  the newest daily report, its top
docs/images/status.png  the screen of `python -m flows.status`
docs/images/run.png     the newest daily run in Prefect's UI
docs/images/explore.png the page that explores the marts offline, by day
"""

import contextlib
import io
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from rich.console import Console
from rich.text import Text

from blocks.settings.environment import DATA, REPOSITORY
from demo.services.browser import BrowserUnavailable, Page, open_browser
from spark_jobs.engine.local_server import free_port

IMAGES = REPOSITORY / "docs" / "images"
REPORT = DATA / "reports" / "latest.html"
FLOW = "daily-ecommerce-pipeline"
# Whoever looks at a picture has the repository somewhere else.
ANYWHERE = "/home/you/ecommerce-pipeline"
# The demo's own server, its runs and no other's.
ENVIRONMENT = {
    "PREFECT_HOME": str(DATA / "prefect"),
    "PREFECT_PROFILE": "ephemeral",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
}
START_SECONDS = 120
WIDTH = 1280
STATUS_COLUMNS = 100
TRANSPARENT = {"r": 0, "g": 0, "b": 0, "a": 0}
DRAWN = "!!document.querySelector('.js-plotly-plot .main-svg') && !document.querySelector('.chart:empty')"


def main() -> None:
    """Make the pictures, each in place of the one that was there."""
    if not REPORT.exists():
        sys.exit(f"error: no report at {REPORT}: run `make demo` first")
    IMAGES.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory() as folder, open_browser(Path(folder) / "chromium") as page:
            save("report", report_picture(page))
            save("explore", explore_picture(page, Path(folder)))
            save("status", status_picture(page, Path(folder)))
            with prefect_server() as address:
                save("run", run_picture(page, address))
    except BrowserUnavailable as failure:
        sys.exit(f"error: {failure}")


def report_picture(page: Page) -> bytes:
    """The newest report on a desktop: the day's figures and the first charts."""
    page.open(REPORT, WIDTH, DRAWN, height=1150)
    return page.picture()


def explore_picture(page: Page, folder: Path) -> bytes:
    """The page that explores offline, as it opens: the metrics of orders by day."""
    environment = {**os.environ, "BI_DIR": str(folder / "bi")}
    command = [sys.executable, "-m", "flows.bi", "explore"]
    subprocess.run(command, cwd=REPOSITORY, env=environment, stdout=subprocess.DEVNULL, check=True)
    shown = "document.getElementById('table')?.dataset.shown === '1'"
    page.open(folder / "bi" / "explore" / "explore.html", WIDTH, shown, height=850)
    return page.picture()


def status_picture(page: Page, folder: Path) -> bytes:
    """The status screen as a terminal shows it."""
    environment = {**os.environ, "FORCE_COLOR": "1", "COLUMNS": str(STATUS_COLUMNS)}
    command = [sys.executable, "-m", "flows.status"]
    status = subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    if not status.stdout:
        sys.exit(f"error: no status screen: {status.stderr.strip()}")
    screen = Console(record=True, width=STATUS_COLUMNS, file=io.StringIO())
    screen.print(Text.from_ansi(status.stdout.replace(str(REPOSITORY), ANYWHERE)))
    drawing = screen.export_svg(title="python -m flows.status")
    width, height = map(float, re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawing)[0])
    (folder / "status.svg").write_text(drawing, encoding="utf-8")
    page.call("Emulation.setDefaultBackgroundColorOverride", color=TRANSPARENT)
    page.open(
        folder / "status.svg", math.ceil(width), "document.readyState === 'complete'", math.ceil(height)
    )
    shown = page.picture()
    page.call("Emulation.setDefaultBackgroundColorOverride")
    return shown


def run_picture(page: Page, address: str) -> bytes:
    """The page of the newest daily run, with the timeline of its subflows and tasks."""
    wanted = {"flows": {"name": {"any_": [FLOW]}}, "sort": "START_TIME_DESC", "limit": 1}
    runs = httpx.post(f"{address}/api/flow_runs/filter", json=wanted, timeout=30).json()
    if not runs:
        sys.exit(f"error: no run of {FLOW} in {DATA / 'prefect'}: run `make demo` first")
    timeline = "!!document.querySelector('canvas') && !!document.querySelector('#subflow-runs')"
    page.open(f"{address}/runs/flow-run/{runs[0]['id']}", WIDTH, timeline, height=1150)
    page.evaluate("document.querySelector('#subflow-runs').click()")
    page.wait("document.querySelector('#subflow-runs-content').innerText.includes('notify')")
    return page.picture()


@contextlib.contextmanager
def prefect_server() -> Iterator[str]:
    """Prefect's server on the demo's runs, at a free port; gives its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port), "--no-services"]
    environment = {**os.environ, **ENVIRONMENT, "PREFECT_API_URL": f"{address}/api"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as server:
        try:
            give_up = time.monotonic() + START_SECONDS
            while not _answers(f"{address}/api/health"):
                if server.poll() is not None or time.monotonic() > give_up:
                    sys.exit("error: Prefect's server did not start")
                time.sleep(0.2)
            yield address
        finally:
            server.terminate()


def _answers(address: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(address, timeout=5).is_success
    return False


def save(name: str, picture: bytes) -> None:
    """Write a picture, and say how large it is."""
    path = IMAGES / f"{name}.png"
    path.write_bytes(picture)
    sys.stdout.write(f"{path.relative_to(REPOSITORY)}  {len(picture) // 1000} kB\n")


if __name__ == "__main__":
    main()
