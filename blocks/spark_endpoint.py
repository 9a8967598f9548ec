"""The Spark that runs the jobs."""

import socket
from urllib.parse import urlsplit

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.failures import PermanentFailure, TransientFailure

CONNECT_TIMEOUT_SECONDS = 10
DEFAULT_PORT = 15002


class SparkEndpoint(Block):
    """A Spark Connect server, or an Apache Spark that the worker starts for itself."""

    _block_type_name = "Spark Endpoint"

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
