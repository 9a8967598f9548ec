"""Our pipeline as a contender: the lake work alone, and the whole daily flow.

`python -m benchmarks.ours YYYY-MM-DD` does the lake work, as plain function calls without Prefect:
the part that the lesson's chain and DuckDB by hand do too. `python -m flows.daily` adds what only ours
does: gates, warehouse load, dbt marts, ledger, orchestration.
"""

import argparse
import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.contender import step


def lake_work(ds: dt.date) -> None:
    """Bronze, silver, quarantine and the lake's gold tables of one day, each step timed.

    One step after the other, where the flow may run some at once: a step's seconds are its own.
    """
    with step("import"):
        # Counted, and so not at the top: every process of the pipeline pays for it.
        from blocks.settings.settings import Settings
        from lake.catalog import shop_tables, spark_tables
        from lake.delta import Lake
        from spark_jobs.gold.jobs import GOLD_JOBS
        from tasks.ingest import clickstream
        from tasks.ingest import postgres as extract
        from tasks.transform import spark

        platform = Settings(), Lake(Settings().lake_uri)
    with step("extract"):
        for table in shop_tables():
            extract.extract_table.fn(table, ds, *platform)
    with step("clickstream"):
        clickstream.extract_clickstream.fn(ds, *platform)
    with step("silver"):
        for table in spark_tables():
            spark.write_silver.fn(spark.flag_rows.fn(table, *platform), *platform)
    with step("gold"):
        for table in GOLD_JOBS:
            spark.build_gold.fn(table, *platform)


def settings(home: Path) -> dict[str, str | None]:
    """Keep warehouse, reports and Prefect in `home`, and the run away from whatever server the user works with."""
    return {
        "DUCKDB_PATH": str(home / "warehouse.duckdb"),
        "REPORT_DIR": str(home / "reports"),
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": None,
        "PREFECT_API_KEY": None,
        "PREFECT_PROFILE": None,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        # On a busy machine the flow's temporary server needs longer than Prefect's 20 seconds to answer.
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        # A failure must show at once and not after the pauses between retries.
        "RETRY_DELAY_SECONDS": "0",
    }


def prepare(home: Path) -> None:
    """Create Prefect's database, which takes longer than a run and happens once per installation."""
    environment = {
        name: value for name, value in {**os.environ, **settings(home)}.items() if value is not None
    }
    subprocess.run(
        [sys.executable, "-m", "prefect", "server", "database", "upgrade", "--yes"],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=True,
    )


def main() -> None:
    """Do the lake work of one day."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("day", type=dt.date.fromisoformat)
    lake_work(parser.parse_args().day)


if __name__ == "__main__":
    main()
