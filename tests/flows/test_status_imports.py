"""`python -m flows.status` must answer in a second, and when Prefect is what is broken."""

import os
import re
import subprocess
import sys
from pathlib import Path

from blocks.settings.environment import REPOSITORY


def test_the_status_imports_neither_prefect_nor_pyspark(tmp_path: Path) -> None:
    environment = {**os.environ, "LAKE_URI": tmp_path.as_uri(), "DUCKDB_PATH": str(tmp_path / "none.duckdb")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flows.status", "--json"],
        cwd=REPOSITORY,
        env=environment | {"PREFECT_API_URL": "", "PLATFORM": "production", "WAREHOUSE": "duckdb"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    imported = {
        line.rsplit("|", 1)[1].strip().split(".")[0]
        for line in done.stderr.splitlines()
        if re.match(r"import time: +\d", line)
    }
    assert '"verdict"' in done.stdout
    assert {"blocks", "tasks", "pydantic"} <= imported
    assert imported & {"prefect", "pyspark"} == set()
