"""A fake of BigQuery: `bqemulator`'s server over HTTP.

python -m tests.support.fake_bigquery PORT

Without DuckDB's `spatial`, which it would download: none of our tables has geography.
"""

import sys

from bqemulator.cli import main
from bqemulator.storage.engine import DuckDBEngine

DuckDBEngine._load_spatial = lambda self: None

if __name__ == "__main__":
    ports = ("--rest-port", sys.argv[1], "--grpc-port", "0")
    main(["start", "--ephemeral", "--log-level", "warning", *ports])
