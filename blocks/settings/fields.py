"""The settings of every outside system, each declared once.

One model per system, inherited by its Prefect block (in the module of blocks/ that is named like the block's
type) and by `EnvironmentSettings`. A default must hold on every machine that reads the block; a place on this
one stands in `EnvironmentSettings`. Nothing here imports Prefect.
"""

from pathlib import Path
from typing import ClassVar, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, Field, SecretStr, field_validator

WarehouseKind = Literal["duckdb", "snowflake", "bigquery"]
KafkaProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
Channel = Literal["slack", "email", "pagerduty"]
Severity = Literal["info", "warning", "error", "critical"]

# Per severity a list of chains: each chain is tried in its order until one channel has delivered.
ROUTES: dict[Severity, list[list[Channel]]] = {
    "info": [],
    "warning": [["slack", "email"]],
    "error": [["slack", "email"]],
    "critical": [["slack", "email"], ["pagerduty", "email"]],
}


class SystemFields(BaseModel):
    """The fields of one outside system, and what the deployment needs to know of them."""

    block_type: ClassVar[str]
    """The slug of the system's Prefect block."""
    places: ClassVar[dict[WarehouseKind, tuple[str, ...]]] = {}
    """Of the warehouses that these fields describe, the fields that say where each is."""

    @classmethod
    def is_configured(cls, settings: "AllFields") -> bool:
        """Whether these settings use the system, so that its block is worth saving."""
        return True


class ShopFields(SystemFields):
    """The shop's PostgreSQL."""

    block_type = "shop-database"

    shop_dsn: SecretStr = Field(
        default=SecretStr(""),
        title="Connection string",
        description="libpq URI of a read-only user: postgresql://…",
    )
    shop_timezone: ZoneInfo = Field(
        default=ZoneInfo("UTC"),
        title="Time zone",
        description="Where a business day begins and ends: an IANA name.",
    )

    @classmethod
    def is_configured(cls, settings: "AllFields") -> bool:
        """Whether there is an address."""
        return bool(settings.shop_dsn.get_secret_value())


class LakeFields(SystemFields):
    """The folders of the platform, the file of a DuckDB warehouse among them."""

    block_type = "lake-storage"
    places = {"duckdb": ("duckdb_path",)}

    clickstream_uri: str = Field(
        title="Clickstream", description="Folder or URI with a folder YYYY-MM-DD of JSON lines per day."
    )
    lake_uri: str = Field(title="Lake", description="Root folder or URI of the Delta tables.")
    warehouse: WarehouseKind = Field(default="duckdb", title="Warehouse")
    duckdb_path: Path = Field(
        title="Warehouse file", description="The DuckDB file that people read, if that is the warehouse."
    )


class SparkFields(SystemFields):
    """The Spark that runs the jobs."""

    block_type = "spark-endpoint"

    # An address may hold a token: sc://host:port/;token=…
    spark_remote: SecretStr = Field(
        default=SecretStr(""),
        title="Remote",
        description="sc://host:port, or local[2] for an Apache Spark of the worker's own; empty is Sail.",
    )
    spark_submit: str = Field(
        default="",
        title="Submit command",
        description="For clusters that take nothing else: spark-submit and its options; docs/spark.md.",
    )
    spark_reads_clicks: bool = Field(
        default=False,
        title="Reads clicks",
        description="Spark reads the click files, and not the worker; it must reach CLICKSTREAM_URI.",
    )


class KafkaFields(SystemFields):
    """The Kafka that carries inventory events."""

    block_type = "kafka-cluster"

    kafka_bootstrap_servers: str = Field(
        default="", title="Brokers", description="host:port, several with commas."
    )
    inventory_topic: str = Field(default="inventory", title="Topic of inventory events")
    kafka_security_protocol: KafkaProtocol = Field(default="PLAINTEXT", title="Security protocol")
    kafka_sasl_mechanism: SaslMechanism = Field(default="SCRAM-SHA-512", title="SASL mechanism")
    kafka_username: str = Field(default="", title="User")
    kafka_password: SecretStr = Field(default=SecretStr(""), title="Password")
    kafka_ca_file: str = Field(
        default="", title="CA file", description="Of a private certificate authority; empty for the system's."
    )

    @classmethod
    def is_configured(cls, settings: "AllFields") -> bool:
        """Whether there are brokers."""
        return bool(settings.kafka_bootstrap_servers)


class SnowflakeFields(SystemFields):
    """The Snowflake account of a warehouse there."""

    block_type = "snowflake-account"
    places = {"snowflake": ("snowflake_account", "snowflake_database")}

    snowflake_account: str = Field(
        default="", title="Account", description="The account identifier: ORG-ACCOUNT."
    )
    snowflake_user: str = Field(
        default="", title="User", description="Of type SERVICE, for this pipeline alone."
    )
    snowflake_password: SecretStr = Field(default=SecretStr(""), title="Password, unless a key is given")
    snowflake_private_key: SecretStr = Field(
        default=SecretStr(""), title="Private key", description="PKCS#8 without a password, DER in base64."
    )
    snowflake_role: str = Field(default="", title="Role; empty for the user's default")
    snowflake_warehouse: str = Field(default="", title="Virtual warehouse; empty for the user's default")
    snowflake_database: str = Field(default="ecommerce", title="Database")
    snowflake_host: str = Field(default="", title="Host; empty for the account's own")
    snowflake_port: int = Field(default=443, title="Port")
    snowflake_protocol: Literal["https", "http"] = Field(default="https", title="Protocol")

    @classmethod
    def is_configured(cls, settings: "AllFields") -> bool:
        """Whether the warehouse is there."""
        return settings.warehouse == "snowflake"


class BigQueryFields(SystemFields):
    """The BigQuery project of a warehouse there."""

    block_type = "bigquery-project"
    places = {"bigquery": ("bigquery_project",)}

    bigquery_project: str = Field(default="", title="Project id")
    bigquery_location: str = Field(default="EU", title="Location of the datasets")
    bigquery_maximum_bytes_billed: int = Field(
        default=100 * 10**9, gt=0, title="Cap", description="Bytes; a query that would read more is refused."
    )
    bigquery_api_endpoint: str = Field(
        default="", title="Endpoint", description="Of an emulator, which asks for no credentials; else empty."
    )
    google_application_credentials: SecretStr = Field(
        default=SecretStr(""),
        title="Key",
        description="Of a service account: the path of its key file on the worker, or what is in the file "
        "(JSON); empty for the worker's own identity.",
    )

    @classmethod
    def is_configured(cls, settings: "AllFields") -> bool:
        """Whether the warehouse is there."""
        return settings.warehouse == "bigquery"


class AlertFields(SystemFields):
    """The channels of alerts; one whose address is empty is off."""

    block_type = "alert-channels"

    slack_webhook_url: SecretStr = Field(default=SecretStr(""), title="Slack incoming webhook")
    pagerduty_routing_key: SecretStr = Field(default=SecretStr(""), title="PagerDuty routing key (Events v2)")
    pagerduty_url: str = Field(
        default="https://events.pagerduty.com/v2/enqueue", title="PagerDuty Events v2 address"
    )
    smtp_url: SecretStr = Field(
        default=SecretStr(""),
        title="Mail server",
        description="smtp://user:password@host:587 (STARTTLS if offered) or smtps://…",
    )
    alert_email_from: str = Field(default="ecommerce-pipeline@localhost", title="Sender of e-mails")
    alert_email_to: str = Field(default="", title="Recipients of e-mails, separated by commas")
    alert_routes: dict[Severity, list[list[Channel]]] = Field(
        default=ROUTES,
        title="Routes",
        description="Per severity a list of chains of channels; one that is left out keeps its default.",
    )
    runbook_url: str = Field(default="", title="Runbook", description="Alerts link its headings.")

    @field_validator("alert_routes")
    @classmethod
    def _complete(cls, routes: dict[Severity, list[list[Channel]]]) -> dict[Severity, list[list[Channel]]]:
        return ROUTES | routes

    def webhooks(self) -> dict[Channel, tuple[str, str]]:
        """The HTTP channels that are on, each with the variable that holds its address, and the address."""
        on: dict[Channel, tuple[str, str]] = {}
        if url := self.slack_webhook_url.get_secret_value():
            on["slack"] = ("SLACK_WEBHOOK_URL", url)
        if self.pagerduty_routing_key.get_secret_value():
            on["pagerduty"] = ("PAGERDUTY_URL", self.pagerduty_url)
        return on

    def active_channels(self) -> set[Channel]:
        """The channels that are on; e-mail needs a server and a recipient."""
        has_mail = self.smtp_url.get_secret_value() and self.alert_email_to
        mail: set[Channel] = {"email"} if has_mail else set()
        return mail | self.webhooks().keys()


class MonitoringFields(SystemFields):
    """The receivers of what a run says of itself: a Pushgateway, a copy of the run ledger, OpenLineage."""

    block_type = "monitoring"

    pushgateway_url: SecretStr = Field(
        default=SecretStr(""),
        title="Pushgateway",
        description="http://host:9091, or https://user:password@host.",
    )
    ops_dsn: SecretStr = Field(
        default=SecretStr(""),
        title="Copy of the run ledger",
        description="libpq URI of a database whose user may create tables: postgresql://…",
    )
    openlineage_url: SecretStr = Field(
        default=SecretStr(""),
        title="OpenLineage",
        description="Address of what takes OpenLineage events (Marquez, DataHub, …): http://host:5000.",
    )
    openlineage_api_key: SecretStr = Field(default=SecretStr(""), title="API key of that, if it wants one")

    @classmethod
    def is_configured(cls, settings: "AllFields") -> bool:
        """Whether one of them is on."""
        return any(
            url.get_secret_value()
            for url in (settings.pushgateway_url, settings.ops_dsn, settings.openlineage_url)
        )


class TableauFields(SystemFields):
    """The Tableau server, or site in Tableau's cloud, that shows people the extracts."""

    block_type = "tableau-server"

    tableau_server_url: str = Field(
        default="", title="Address", description="https://…; empty: extracts are written, and not published."
    )
    tableau_site: str = Field(default="", title="Site, as its address has it; empty for the default site")
    tableau_project: str = Field(default="default", title="Project that the data sources are published to")
    tableau_token_name: str = Field(default="", title="Name of a personal access token")
    tableau_token: SecretStr = Field(default=SecretStr(""), title="The token's secret")

    @classmethod
    def is_configured(cls, settings: "AllFields") -> bool:
        """Whether there is an address."""
        return bool(settings.tableau_server_url)


class AllFields(
    ShopFields,
    LakeFields,
    SparkFields,
    KafkaFields,
    SnowflakeFields,
    BigQueryFields,
    AlertFields,
    MonitoringFields,
    TableauFields,
):
    """The fields of every system."""


SYSTEMS = cast(tuple[type[SystemFields], ...], AllFields.__bases__)
PLACES = {kind: fields for system in SYSTEMS for kind, fields in system.places.items()}
"""The fields that say where a warehouse is, by its kind."""
