"""Where a run's figures go: a Prometheus Pushgateway, and a PostgreSQL with a copy of the run ledger."""

import psycopg2
from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.alert_channels import check_answers
from blocks.failures import PermanentFailure, TransientFailure

CONNECT_TIMEOUT_SECONDS = 10


class Monitoring(Block):
    """Both are optional; an empty one is off."""

    _block_type_name = "Monitoring"

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

    def check(self) -> None:
        """Reach what is on, without writing anything. Raises PipelineFailure without a password."""
        if url := self.pushgateway_url.get_secret_value():
            check_answers("PUSHGATEWAY_URL", url)
        if dsn := self.ops_dsn.get_secret_value():
            try:
                psycopg2.connect(dsn, connect_timeout=CONNECT_TIMEOUT_SECONDS).close()
            except psycopg2.Error as error:
                failure = TransientFailure if "refused" in str(error) else PermanentFailure
                raise failure(f"OPS_DSN: {reason(error)}; correct it") from None


def reason(error: Exception) -> str:
    """Why PostgreSQL was not to be had: libpq's words name host and user, others may quote the password."""
    is_safe = isinstance(error, psycopg2.OperationalError)
    return str(error).strip().partition("\n")[0] if is_safe else type(error).__name__
