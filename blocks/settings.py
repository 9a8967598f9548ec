"""Where the outside systems are: read from the environment, else the laptop default.

Every variable is listed in `.env.example`. Precedence: process environment, then `.env`, then
`data/demo.env` (written by the demo shop, so that `python -m flows.daily` finds its database).
Nothing here opens a connection.
"""

import datetime as dt
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = REPOSITORY / "data"


class _Environment(BaseSettings):
    model_config = SettingsConfigDict(
        env_file=(DATA / "demo.env", REPOSITORY / ".env"), env_ignore_empty=True, extra="ignore"
    )


class RetrySettings(_Environment):
    """Read when the tasks are defined, so apart from the rest: a wrong DSN must not break an import."""

    retry_delay_seconds: float = Field(default=300, ge=0)


class Settings(_Environment):
    """The platform's configuration; field `shop_dsn` is the variable `SHOP_DSN`, and so on."""

    shop_dsn: SecretStr = SecretStr("")
    shop_timezone: ZoneInfo = ZoneInfo("UTC")
    clickstream_uri: str = (DATA / "clickstream").as_uri()
    lake_uri: str = (DATA / "lake").as_uri()
    spark_remote: str = ""
    warehouse: Literal["duckdb"] = "duckdb"
    duckdb_path: Path = DATA / "warehouse.duckdb"
    extract_overlap: dt.timedelta = dt.timedelta(hours=1)
    quarantine_threshold: float = Field(default=0.05, ge=0, le=1)

    @field_validator("clickstream_uri", "lake_uri")
    @classmethod
    def _path_as_uri(cls, value: str) -> str:
        return value if "://" in value else Path(value).resolve().as_uri()
