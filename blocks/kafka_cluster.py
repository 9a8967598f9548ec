"""The Kafka that carries inventory events: how to reach it, and what its refusals mean."""

import contextlib
from collections.abc import Iterator
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import AuthorizationError, KafkaError, KafkaTimeoutError, SaslAuthenticationFailedError
from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.failures import PermanentFailure, TransientFailure
from blocks.settings import Mechanism, Protocol

REQUEST_TIMEOUT_MS = 15_000
BOOTSTRAP_TIMEOUT_MS = 10_000


class KafkaCluster(Block):
    """The brokers, the topic, and a user who may read it."""

    _block_type_name = "Kafka Cluster"

    kafka_bootstrap_servers: str = Field(title="Brokers", description="host:port, several with commas.")
    inventory_topic: str = Field(default="inventory", title="Topic of inventory events")
    kafka_security_protocol: Protocol = Field(default="PLAINTEXT", title="Security protocol")
    kafka_sasl_mechanism: Mechanism = Field(default="SCRAM-SHA-512", title="SASL mechanism")
    kafka_username: str = Field(default="", title="User")
    kafka_password: SecretStr = Field(default=SecretStr(""), title="Password")
    kafka_ca_file: str = Field(
        default="", title="CA file", description="Of a private certificate authority; empty for the system's."
    )

    def check(self) -> None:
        """Connect once and look for the topic. Raises PipelineFailure that says what is wrong."""
        with kafka_errors(self.kafka_bootstrap_servers):
            client = KafkaAdminClient(**client_options(self))
            try:
                topics = client.list_topics()
            finally:
                client.close()
        if self.inventory_topic not in topics:
            raise missing_topic(self.inventory_topic, self.kafka_bootstrap_servers)


def client_options(settings: Any) -> dict[str, Any]:
    """What every client of kafka-python needs to be told; `settings` has KafkaCluster's fields."""
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap_servers.split(","),
        "security_protocol": settings.kafka_security_protocol,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "bootstrap_timeout_ms": BOOTSTRAP_TIMEOUT_MS,
    }
    if settings.kafka_ca_file:
        options["ssl_cafile"] = settings.kafka_ca_file
    if settings.kafka_security_protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options


@contextlib.contextmanager
def kafka_errors(servers: str) -> Iterator[None]:
    """Within this context Kafka's errors become TransientFailure, refused logins PermanentFailure."""
    try:
        yield
    except (SaslAuthenticationFailedError, AuthorizationError) as error:
        raise PermanentFailure(
            f"Kafka at {servers} refuses us ({type(error).__name__}); correct KAFKA_USERNAME, KAFKA_PASSWORD "
            "or what this user may read"
        ) from None
    except KafkaTimeoutError:
        raise TransientFailure(
            f"no Kafka broker answers at {servers}; start it, or correct KAFKA_BOOTSTRAP_SERVERS"
        ) from None
    except KafkaError as error:
        raise TransientFailure(f"Kafka at {servers} broke off: {type(error).__name__}: {error}") from error


def missing_topic(topic: str, servers: str) -> PermanentFailure:
    """The failure when the topic does not exist."""
    return PermanentFailure(
        f"Kafka at {servers} has no topic {topic!r}; create it, or correct INVENTORY_TOPIC"
    )
