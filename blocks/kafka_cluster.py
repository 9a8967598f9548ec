"""The Kafka that carries inventory events: its brokers, its topic, its user."""

from kafka import KafkaAdminClient

from blocks.kafka_client import client_options, kafka_errors, missing_topic
from blocks.settings.fields import KafkaFields
from blocks.system_block import SystemBlock


class KafkaCluster(KafkaFields, SystemBlock):
    """The brokers, the topic, and a user who may read it."""

    _block_type_name = "Kafka Cluster"

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
