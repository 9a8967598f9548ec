"""The continuous consumer as a process that a test can kill: `python inventory_child.py`."""

import sys

from blocks.settings.settings import Settings
from tasks.inventory import consumer as inventory_stream

# So that the partitions of a killed child are free again at once.
inventory_stream.SESSION_TIMEOUT_MS = 1500
inventory_stream.LINGER_SECONDS = 0.3
sys.stdout.write("imported\n")
sys.stdout.flush()
inventory_stream.follow(inventory_stream.InventoryConsumer(Settings()), lambda: False, lambda: None)
