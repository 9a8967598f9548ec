"""DuckDB's answers do not depend on where the machine stands."""

import os
import subprocess
import sys

from blocks.settings.environment import REPOSITORY

SCRIPT = """
from lake.local_sql import connect
query = "select timestamptz '2024-03-05 01:30:00', cast(timestamptz '2024-03-05 01:30:00Z' as date)"
connection = connect()
for each in (connection, connection.cursor()):
    [(at, date)] = each.execute(query).fetchall()
    print(at.isoformat(), date)
"""


def test_times_are_utc_wherever_the_machine_is() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "TZ": "America/New_York"},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["2024-03-05T01:30:00+00:00 2024-03-05"] * 2
