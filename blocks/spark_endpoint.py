"""The Spark that runs the jobs."""

import socket
from urllib.parse import urlsplit

from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import SparkFields
from blocks.system_block import SystemBlock

CONNECT_TIMEOUT_SECONDS = 10
DEFAULT_PORT = 15002


class SparkEndpoint(SparkFields, SystemBlock):
    """A Spark Connect server, or an Apache Spark that the worker starts for itself."""

    _block_type_name = "Spark Endpoint"

    def check(self) -> None:
        """Open a connection to a server, if one is named. Raises PipelineFailure."""
        remote = self.spark_remote.get_secret_value()
        if not remote.startswith("sc://"):
            return
        try:
            address = urlsplit(remote.split(";")[0])
            host, port = address.hostname, address.port or DEFAULT_PORT
        except ValueError:
            host = None
        if not host:
            raise PermanentFailure("SPARK_REMOTE names no host and port; write it as sc://host:port")
        try:
            socket.create_connection((host, port), CONNECT_TIMEOUT_SECONDS).close()
        except OSError as error:
            raise TransientFailure(
                f"no Spark Connect server answers at {address.netloc} ({error}); "
                "start it, or correct SPARK_REMOTE"
            ) from None
