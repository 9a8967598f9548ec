"""The continuous consumer as a process that a test can kill: `python -m tests.support.inventory_child`."""

import sys

from tasks.inventory import consumer
from tests.support.platforms import here

# So that the partitions of a killed child are free again at once.
consumer.SESSION_TIMEOUT_MS = 1500
consumer.LINGER_SECONDS = 0.3
sys.stdout.write("imported\n")
sys.stdout.flush()
consumer.consume_until(consumer.InventoryConsumer(*here()), lambda: False, lambda: None)
