"""The receivers of what a run says of itself: Prometheus' Pushgateway, a copy of the ledger, OpenLineage."""

import psycopg2

from blocks.alert_channels import check_answers
from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import MonitoringFields
from blocks.system_block import SystemBlock

CONNECT_TIMEOUT_SECONDS = 10


class Monitoring(MonitoringFields, SystemBlock):
    """All are optional; an empty one is off."""

    _block_type_name = "Monitoring"

    def check(self) -> None:
        """Reach what is on, without writing anything. Raises PipelineFailure without a password."""
        if url := self.pushgateway_url.get_secret_value():
            check_answers("PUSHGATEWAY_URL", url)
        if url := self.openlineage_url.get_secret_value():
            check_answers("OPENLINEAGE_URL", url)
        if dsn := self.ops_dsn.get_secret_value():
            try:
                psycopg2.connect(dsn, connect_timeout=CONNECT_TIMEOUT_SECONDS).close()
            except psycopg2.Error as error:
                failure = TransientFailure if "refused" in str(error) else PermanentFailure
                raise failure(f"OPS_DSN: {reason(error)}; correct it") from None


def reason(error: Exception) -> str:
    """The message of a PostgreSQL error, if it is libpq's own: others may quote the password."""
    is_safe = isinstance(error, psycopg2.OperationalError)
    return str(error).strip().partition("\n")[0] if is_safe else type(error).__name__
