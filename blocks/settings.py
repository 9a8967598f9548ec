"""Where the outside systems are: a saved Prefect block, else the environment, else the laptop default.

Every variable is listed in `.env.example`. Precedence: blocks (`blocks/saved.py`), process environment, then
`.env`, then `data/demo.env` (written by the demo shop, so that `python -m flows.daily` finds its database).
Nothing here opens a connection to a system it names.
"""

import datetime as dt
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from prefect.settings import get_current_settings
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from blocks.alert_channels import PAGERDUTY_URL, ROUTES, Channel, Severity
from blocks.environment import DATA, REPOSITORY, Environment, PlatformName
from blocks.saved import saved_values

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
WarehouseKind = Literal["duckdb", "snowflake", "bigquery"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


class EnvironmentSettings(Environment):
    """What the environment alone says of the platform; `shop_dsn` is the variable `SHOP_DSN`, and so on."""

    shop_dsn: SecretStr = SecretStr("")
    shop_timezone: ZoneInfo = ZoneInfo("UTC")
    clickstream_uri: str = (DATA / "clickstream").as_uri()
    lake_uri: str = (DATA / "lake").as_uri()
    spark_remote: str = ""
    kafka_bootstrap_servers: str = ""
    inventory_topic: str = "inventory"
    kafka_security_protocol: Protocol = "PLAINTEXT"
    kafka_sasl_mechanism: Mechanism = "SCRAM-SHA-512"
    kafka_username: str = ""
    kafka_password: SecretStr = SecretStr("")
    kafka_ca_file: str = ""
    lead_time_days: float = Field(default=7, ge=0)
    safety_stock_days: float = Field(default=3, ge=0)
    warehouse: WarehouseKind = "duckdb"
    duckdb_path: Path = DATA / "warehouse.duckdb"
    snowflake_account: str = ""
    snowflake_user: str = ""
    snowflake_password: SecretStr = SecretStr("")
    snowflake_private_key: SecretStr = SecretStr("")
    snowflake_role: str = ""
    snowflake_warehouse: str = ""
    snowflake_database: str = "ecommerce"
    snowflake_host: str = ""
    snowflake_port: int = 443
    snowflake_protocol: Literal["https", "http"] = "https"
    bigquery_project: str = ""
    bigquery_location: str = "EU"
    bigquery_maximum_bytes_billed: int = Field(default=100 * 10**9, gt=0)
    bigquery_api_endpoint: str = ""
    google_application_credentials: str = ""
    extract_overlap: dt.timedelta = dt.timedelta(hours=1)
    quarantine_threshold: float = Field(default=0.05, ge=0, le=1)
    quality_minimum: float = Field(default=0.95, ge=0, le=1)
    slack_webhook_url: SecretStr = SecretStr("")
    pagerduty_routing_key: SecretStr = SecretStr("")
    pagerduty_url: str = PAGERDUTY_URL
    smtp_url: SecretStr = SecretStr("")
    alert_email_from: str = "ecommerce-pipeline@localhost"
    alert_email_to: str = ""
    alert_routes: dict[Severity, list[list[Channel]]] = ROUTES
    report_dir: Path = DATA / "reports"
    report_url: str = ""
    runbook_url: str = (REPOSITORY / "docs" / "runbook.md").as_uri()

    @field_validator("clickstream_uri", "lake_uri")
    @classmethod
    def _path_as_uri(cls, value: str) -> str:
        return value if "://" in value else Path(value).resolve().as_uri()


class Settings(EnvironmentSettings):
    """The platform's configuration: saved blocks first, then the environment."""

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
        saved = InitSettingsSource(
            settings_cls, saved_values(PlatformName().platform, get_current_settings().api.url)
        )
        return init_settings, saved, env_settings, dotenv_settings
