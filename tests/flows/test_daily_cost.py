"""What `python -m flows.daily` does beside a day's work, in counts, since seconds are a machine's own."""

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY
from tests.support.platforms import Platform
from tests.support.rows import DAY, click, customer, order, product, put, write_clicks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

# Integrations that Prefect imports to look for a block's class, the client of another warehouse, and statistics
# that Great Expectations has no use for here.
NOT_OF_THE_DAY = {
    "prefect_aws",
    "prefect_docker",
    "prefect_kubernetes",
    "snowflake.connector",
    "scipy.stats._stats_py",
}
# Three for each of some 50 tasks and 7 flows.
MOST_EVENTS = 200


def test_a_first_day_imports_no_integration_and_tells_the_server_of_tasks_alone(
    platform: Platform, tmp_path: Path
) -> None:
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", order(1))
    write_clicks(platform.clickstream, DAY, [click("a")])
    home = tmp_path / "prefect"
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flows.daily", DAY.isoformat()],
        cwd=REPOSITORY,
        env=os.environ | {"PREFECT_API_URL": "", "PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout
    imported = set(re.findall(r"^import time: .*\| +(\S+)$", done.stderr, re.MULTILINE))
    assert {"prefect_dbt.core.runner", "duckdb", "great_expectations"} <= imported
    assert imported & NOT_OF_THE_DAY == set()

    with closing(sqlite3.connect(home / "prefect.db")) as server:
        events = [name for (name,) in server.execute("select event from events")]
    assert "prefect.task-run.Completed" in events
    assert len(events) <= MOST_EVENTS
    assert [name for name in events if name.startswith("prefect.asset")] == []
