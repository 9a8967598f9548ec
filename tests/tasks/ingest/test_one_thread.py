"""Appends on a machine with one core: delta-rs has one thread, which waits for the rows that are written."""

import datetime as dt
import os
import subprocess
import sys

from tests.support.platforms import Platform
from tests.support.rows import DAY, NEXT_DAY, at, click, customer, order, put, write_clicks

EXTRACT = """
import datetime as dt, sys
from tasks.ingest import chunks, clickstream, postgres
from tests.support.platforms import here
chunks.CHUNK_ROWS = 2
day = dt.date.fromisoformat(sys.argv[1])
for table in ("orders", "customers"):
    done = postgres.extract_table.fn(table, day, *here())
    print(table, done.rows, done.deleted)
print("clickstream", clickstream.extract_clickstream.fn(day, *here()).rows)
"""
# More than are read before the write begins.
MANY = 30


def extract(day: dt.date) -> list[str]:
    """Extract in a process of its own, which hangs for good if its rows wait for the thread."""
    done = subprocess.run(
        [sys.executable, "-c", EXTRACT, day.isoformat()],
        env=os.environ | {"TOKIO_WORKER_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_no_stream_of_a_write_waits_for_a_table_to_be_opened(platform: Platform) -> None:
    put(platform, "orders", *(order(number) for number in range(MANY)))
    put(platform, "customers", *(customer(number) for number in range(MANY)))
    for number in range(MANY):
        write_clicks(platform.clickstream, DAY, [click(f"a{number}")], f"part-{number}.jsonl")
    assert extract(DAY) == [f"orders {MANY} 0", f"customers {MANY} 0", f"clickstream {MANY}"]

    # Chunks, versions that no window sees, and rows that are gone and kept.
    put(platform, "orders", *(order(MANY + number, updated_at=at(NEXT_DAY)) for number in range(MANY)))
    put(platform, "customers", *(customer(MANY + number, updated_at=None) for number in range(3)))
    platform.execute("delete from customers where customer_id < 2")
    for number in range(MANY):
        write_clicks(platform.clickstream, NEXT_DAY, [click(f"b{number}")], f"part-{number}.jsonl")
    assert extract(NEXT_DAY) == [f"orders {MANY} 0", "customers 5 2", f"clickstream {MANY}"]
