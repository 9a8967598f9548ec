"""The pipeline's settings: a saved Prefect block's, else the environment's, else the laptop's default.

Every variable is listed in `.env.example`. Precedence: blocks (`saved_blocks.py`), process environment, then
`.env`, then `data/demo.env` (written by the demo shop, so that `python -m flows.daily` finds its database).
Nothing here opens a connection to a system it names.

The object store's credentials are handed on to the process's own environment: delta-rs, Arrow, Sail, Spark's
JVM and every child process look for the standard AWS variables there, so nothing else has to carry them.
So are the folder of the shop's queries, whose contracts the catalog reads, and the memory that a DuckDB gets.
"""

import datetime as dt
import os
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_serializer, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from blocks.settings.environment import (
    DATA,
    PRODUCTION,
    REPOSITORY,
    TEMPORARY_SERVER,
    Environment,
    PlatformName,
    PrefectAddress,
)
from blocks.settings.fields import AllFields


class EnvironmentSettings(AllFields, Environment):
    """The environment's settings alone; `shop_dsn` is the variable `SHOP_DSN`, and so on."""

    # The laptop's defaults of fields that have none in a block, which many machines read.
    clickstream_uri: str = (DATA / "clickstream").as_uri()
    lake_uri: str = (DATA / "lake").as_uri()
    duckdb_path: Path = DATA / "warehouse.duckdb"
    runbook_url: str = (REPOSITORY / "docs" / "runbook.md").as_uri()
    shop_queries: str = ""
    optional_tables: str = ""

    # The object store's key, whose block is prefect-aws' own (`integration_blocks.py`).
    aws_endpoint_url: str = ""
    aws_region: str = ""
    aws_access_key_id: str = ""
    aws_secret_access_key: SecretStr = SecretStr("")
    aws_session_token: SecretStr = SecretStr("")

    # What no outside system has to do with.
    lead_time_days: float = Field(default=7, ge=0)
    safety_stock_days: float = Field(default=3, ge=0)
    order_cycle_days: float = Field(default=7, ge=0)
    reorder_forecast: bool = False
    service_level: float = Field(default=0.85, ge=0.5, lt=1)
    dbt_target_path: Path = DATA / "dbt_target"
    lake_file_mb: int = Field(default=256, ge=128, le=512)
    lake_retention: dt.timedelta = Field(default=dt.timedelta(days=7), ge=dt.timedelta(days=7))
    backup_uri: str = ""
    duckdb_memory_limit: str = Field(default="1GB", pattern=r"^[1-9]\d*(MB|GB)$")
    extract_overlap: dt.timedelta = dt.timedelta(hours=1)
    mass_delete_share: float = Field(default=0.01, ge=0, le=1)
    mass_delete_rows: int = Field(default=100, ge=1)
    quarantine_threshold: float = Field(default=0.05, ge=0, le=1)
    quality_minimum: float = Field(default=0.95, ge=0, le=1)
    # Thresholds that are looser than their defaults are overrides, and these go on record with them.
    thresholds_person: str = ""
    thresholds_reason: str = ""
    report_dir: Path = DATA / "reports"
    report_retention: dt.timedelta = Field(default=dt.timedelta(days=365), ge=dt.timedelta(days=1))
    report_url: str = ""
    bi_dir: Path = DATA / "bi"
    tableau_extracts: bool = False
    feature_tables: bool = False
    model_dir: Path = DATA / "models"

    @field_validator("clickstream_uri", "lake_uri", "runbook_url")
    @classmethod
    def _path_as_uri(cls, value: str) -> str:
        return value if "://" in value else Path(value).resolve().as_uri()

    @field_validator("backup_uri")
    @classmethod
    def _other_folder(cls, value: str) -> str:
        return value if not value or "://" in value else Path(value).resolve().as_uri()

    @field_validator("shop_queries")
    @classmethod
    def _folder(cls, value: str) -> str:
        folder = Path(value).absolute()
        if value and not folder.is_dir():
            raise ValueError(f"{value} is no folder; make it, with a <table>.sql per table, or correct it")
        return str(folder) if value else ""

    @field_validator("duckdb_path")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.absolute()

    @model_validator(mode="after")
    def _hand_on(self) -> Self:
        variables = {
            "SHOP_QUERIES": self.shop_queries,
            "OPTIONAL_TABLES": self.optional_tables,
            "DUCKDB_MEMORY_LIMIT": self.duckdb_memory_limit,
            "AWS_ENDPOINT_URL": self.aws_endpoint_url,
            "AWS_REGION": self.aws_region,
            "AWS_ACCESS_KEY_ID": self.aws_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws_secret_access_key.get_secret_value(),
            "AWS_SESSION_TOKEN": self.aws_session_token.get_secret_value(),
            # delta-rs and Sail refuse a store without TLS unless they are told that it is meant.
            "AWS_ALLOW_HTTP": "true" if self.aws_endpoint_url.startswith("http://") else "",
        }
        for name, value in variables.items():
            # Only what is new: other threads may be reading the environment.
            if value and os.environ.get(name) != value:
                os.environ[name] = value
        return self


class Settings(EnvironmentSettings):
    """The settings of the platform: saved blocks first, then the environment."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Put the values of saved blocks before those of the environment."""
        # Imported only now: the environment's own settings can be read without Prefect (flows/status.py).
        from prefect.settings import get_current_settings

        from blocks.settings.saved_blocks import saved_values

        api_url = get_current_settings().api.url
        server = None if api_url == os.environ.get(TEMPORARY_SERVER) else api_url
        saved = InitSettingsSource(settings_cls, saved_values(PlatformName().platform, server))
        return init_settings, saved, env_settings, dotenv_settings

    @model_serializer
    def _name_only(self) -> str:
        # Prefect keeps the parameters of each flow run and shows them to everybody.
        return f"settings of {PlatformName().platform}"


def quick_settings() -> EnvironmentSettings:
    """`Settings()`, but without importing Prefect where the environment names no server to ask."""
    asks_server = PrefectAddress().prefect_api_url or PlatformName().platform != PRODUCTION
    return Settings() if asks_server else EnvironmentSettings()
