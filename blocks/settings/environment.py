"""The process's environment: where its variables are read, and the few that nothing else may decide."""

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "data"
PRODUCTION = "production"
# The server of tasks/runs/temporary_server.py, where nobody has saved blocks.
TEMPORARY_SERVER = "TEMPORARY_PREFECT_API_URL"


class UnreadableEnvFile(ValueError):
    """A `.env` file in another encoding than UTF-8; the message names it and the remedy."""


class Environment(BaseSettings):
    """Variables of the process, else of `.env`, else of the demo shop's `data/demo.env`.

    Raises UnreadableEnvFile if one of the two files is no UTF-8.
    """

    model_config = SettingsConfigDict(
        env_file=(DATA / "demo.env", REPOSITORY / ".env"),
        # With or without a byte order mark, which editors on Windows write.
        env_file_encoding="utf-8-sig",
        env_ignore_empty=True,
        extra="ignore",
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except UnicodeDecodeError:
            files = " and ".join(self._undecodable_files())
            raise UnreadableEnvFile(f"{files}: not written in UTF-8; save it anew in that encoding") from None

    @classmethod
    def _undecodable_files(cls) -> Iterator[str]:
        files = cls.model_config["env_file"]
        for file in files if isinstance(files, tuple) else ():
            try:
                Path(file).read_text(encoding="utf-8-sig")
            except UnicodeDecodeError:
                yield str(file)
            except OSError:
                continue


class RetrySettings(Environment):
    """Read when the tasks are defined, so apart from the rest: a wrong DSN must not break an import."""

    retry_delay_seconds: float = Field(default=300, ge=0)


class AlertThresholds(Environment):
    """The longest that a run may take, and the greatest age of the last good daily run, before an alert."""

    running_after: dt.timedelta = dt.timedelta(hours=3)
    success_within: dt.timedelta = dt.timedelta(hours=26)


class PlatformName(Environment):
    """The name of the platform that this process belongs to, of several on one Prefect server."""

    platform: str = Field(default=PRODUCTION, pattern="^[a-z0-9-]+$")


def namespaced(name: str, joined_by: str) -> str:
    """The name that this platform uses in place of production's: the same, followed by its own name."""
    platform = PlatformName().platform
    return name if platform == PRODUCTION else f"{name}{joined_by}{platform}"


class PrefectAddress(Environment):
    """Prefect reads this variable itself; here it only tells whether there is a server to ask."""

    prefect_api_url: str = ""
