"""The Kafka that carries inventory events: its brokers, its topic, its user."""

from kafka import KafkaAdminClient
from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from blocks.kafka_client import client_options, kafka_errors, missing_topic
from blocks.settings.settings import Mechanism, Protocol


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
