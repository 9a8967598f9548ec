"""Options for clients of Kafka, and its errors as failures of this pipeline. Imports no Prefect."""

import contextlib
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from kafka import KafkaAdminClient
from kafka.errors import AuthorizationError, KafkaError, KafkaTimeoutError, SaslAuthenticationFailedError

from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import KafkaFields

REQUEST_TIMEOUT_MS = 15_000
BOOTSTRAP_TIMEOUT_MS = 10_000
NO_ID = str(UUID(int=0))


def client_options(settings: KafkaFields) -> dict[str, Any]:
    """The options of every client of kafka-python."""
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


def consumer_options(settings: KafkaFields) -> dict[str, Any]:
    """The options of every consumer: events that a producer has not committed are not read."""
    return client_options(settings) | {"isolation_level": "read_committed"}


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


def topic_identity(settings: KafkaFields) -> int | None:
    """Kafka's id of the topic, in 63 bits: one made anew has another; None before Kafka 2.8.

    Raises kafka.errors.KafkaError.
    """
    admin = KafkaAdminClient(**client_options(settings))
    try:
        [topic] = admin.describe_topics([settings.inventory_topic])
    finally:
        admin.close()
    return UUID(topic.get("topic_id") or NO_ID).int % 2**63 or None


def missing_topic(topic: str, servers: str) -> PermanentFailure:
    """The failure when the topic does not exist."""
    return PermanentFailure(
        f"Kafka at {servers} has no topic {topic!r}; create it, or correct INVENTORY_TOPIC"
    )
