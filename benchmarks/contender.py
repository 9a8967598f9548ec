"""The inputs of every contender (the pipeline's own environment variables), and its report of steps."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Inputs:
    """The source database, the clickstream folder and the folder to write the lake to."""

    dsn: str
    clickstream: Path
    lake: Path

    @classmethod
    def from_environment(cls) -> "Inputs":
        """Read `SHOP_DSN`, `CLICKSTREAM_URI` and `LAKE_URI`."""
        clickstream, lake = (_path(os.environ[name]) for name in ("CLICKSTREAM_URI", "LAKE_URI"))
        return cls(os.environ["SHOP_DSN"], clickstream, lake)

    def environment(self) -> dict[str, str]:
        """The same as environment variables, with the time zone in which a day begins."""
        return {
            "SHOP_DSN": self.dsn,
            "CLICKSTREAM_URI": self.clickstream.as_uri(),
            "LAKE_URI": self.lake.as_uri(),
            "SHOP_TIMEZONE": "UTC",
            "TZ": "UTC",
        }


@contextmanager
def step(name: str) -> Iterator[None]:
    """Time a step and print the line `step NAME SECONDS`, which `benchmarks.measure` collects."""
    started = time.perf_counter()
    yield
    print(f"step {name} {time.perf_counter() - started:.3f}", flush=True)


def _path(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme != "file":
        raise ValueError(f"the benchmark runs on local folders: expected a file:// address, got {uri}")
    return Path(unquote(parts.path))
