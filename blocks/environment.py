"""The process's environment: where its variables are read, and the few that nothing else may decide."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = REPOSITORY / "data"


class Environment(BaseSettings):
    """Variables of the process, else of `.env`, else of the demo shop's `data/demo.env`."""

    model_config = SettingsConfigDict(
        env_file=(DATA / "demo.env", REPOSITORY / ".env"), env_ignore_empty=True, extra="ignore"
    )


class RetrySettings(Environment):
    """Read when the tasks are defined, so apart from the rest: a wrong DSN must not break an import."""

    retry_delay_seconds: float = Field(default=300, ge=0)


class PlatformName(Environment):
    """Which of several platforms on one Prefect server this process belongs to: its blocks bear this name."""

    platform: str = Field(default="production", pattern="^[a-z0-9-]+$")
