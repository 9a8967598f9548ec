"""A run on another machine: it holds the right to write a lake on an object store, and appends when it is told to.

python -m tests.support.lease_child LAKE_URI SILENT_SECONDS

Its first line of output says that it holds the right. Each line of input is a number to append to
`bronze.things`; the answer is `done`, or the error. It gives the right back at the end of input.
"""

import sys

import pyarrow as pa

from blocks.settings.failures import PipelineFailure
from lake.delta import Lake
from tasks.ingest.bronze import append
from tasks.warehouse import lake_lock

SCHEMA = pa.schema([("id", pa.int64())])
RENEW_SECONDS = 0.1


def put(lake: Lake, number: int) -> str:
    """Append a row to `bronze.things`; returns `done`, or the error."""
    try:
        append(lake, "bronze.things", SCHEMA, iter([pa.record_batch([[number]], SCHEMA)]), {})
    except PipelineFailure as failure:
        return f"{type(failure).__name__}: {failure}"
    return "done"


def obey(lake: Lake, silent_seconds: float) -> None:
    """Hold the right, and append what standard input says."""
    lake_lock.RENEW_SECONDS, lake_lock.SILENT_SECONDS = RENEW_SECONDS, silent_seconds
    with lake_lock.lake_lock(lake):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        for line in sys.stdin:
            sys.stdout.write(put(lake, int(line)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    obey(Lake(sys.argv[1]), float(sys.argv[2]))
