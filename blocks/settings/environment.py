"""The process's environment: where its variables are read, and the few that nothing else may decide."""

import datetime as dt
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parents[2]
DATA = REPOSITORY / "data"
PRODUCTION = "production"


class Environment(BaseSettings):
    """Variables of the process, else of `.env`, else of the demo shop's `data/demo.env`."""

    model_config = SettingsConfigDict(
        env_file=(DATA / "demo.env", REPOSITORY / ".env"), env_ignore_empty=True, extra="ignore"
    )


class RetrySettings(Environment):
    """Read when the tasks are defined, so apart from the rest: a wrong DSN must not break an import."""

    retry_delay_seconds: float = Field(default=300, ge=0)


class Patience(Environment):
    """How long a run may take, and how old the last good daily run may be, before somebody is told."""

    running_after: dt.timedelta = dt.timedelta(hours=3)
    success_within: dt.timedelta = dt.timedelta(hours=26)


class PlatformName(Environment):
    """Which of several platforms on one Prefect server this process belongs to: its blocks bear this name."""

    platform: str = Field(default=PRODUCTION, pattern="^[a-z0-9-]+$")


def namespaced(name: str, joined_by: str) -> str:
    """What this platform has in place of production's `name`: the same, followed by its own name."""
    platform = PlatformName().platform
    return name if platform == PRODUCTION else f"{name}{joined_by}{platform}"


class PrefectAddress(Environment):
    """Prefect reads this variable itself; here it only tells whether there is a server to ask."""

    prefect_api_url: str = ""
