"""The image's health check: what the container's own command serves has to answer; a run serves nothing."""

from pathlib import Path
from urllib.request import urlopen

TIMEOUT_SECONDS = 5
# By a word of the command. The server's page is a thing of its own: the API answers also where there is none.
SERVED = {
    "server": ("http://127.0.0.1:4200/api/health", "http://127.0.0.1:4200/"),
    "--with-healthcheck": ("http://127.0.0.1:8080/health",),
}


def check(command: str) -> None:
    """Ask what `command` serves, words parted by null characters. Raises OSError if something is wrong."""
    for word in SERVED.keys() & set(command.split("\0")):
        for address in SERVED[word]:
            with urlopen(address, timeout=TIMEOUT_SECONDS):  # noqa: S310 our own two, over http
                pass


if __name__ == "__main__":
    check(Path("/proc/1/cmdline").read_text(encoding="utf-8"))
