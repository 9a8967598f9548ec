"""The program that `spark-submit` starts: one job, by name. The last line printed is its outcome, as JSON.

    spark-submit spark_jobs/engine/submitted.py silver orders --lake s3://bucket/lake --timezone Europe/Berlin
    spark-submit spark_jobs/engine/submitted.py gold daily_sales --lake s3://bucket/lake
    spark-submit spark_jobs/engine/submitted.py versions orders --lake s3://bucket/lake
    spark-submit spark_jobs/engine/submitted.py bronze clickstream --lake s3://bucket/lake --files list.json

A flow has a gate between the two halves of a silver job: it submits `--flag-only`, and then `--flagged` with
the outcome of the first.
"""

import argparse
import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lake.delta import Lake
from lake.row_counts import Flagged
from spark_jobs.bronze.clickstream import append_lines, load_list
from spark_jobs.engine.session import submitted_session
from spark_jobs.gold.job import build
from spark_jobs.gold.jobs import GOLD_JOBS
from spark_jobs.silver.job import flag_new, write
from spark_jobs.silver.jobs import silver_job
from spark_jobs.silver.versions import append_versions


def main() -> None:
    """Run the job that the command line names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("layer", choices=list(JOBS))
    parser.add_argument("table")
    parser.add_argument("--lake", required=True, help="root URI of the lake")
    parser.add_argument("--timezone", default="UTC", help="the shop's business time zone")
    parser.add_argument("--full", action="store_true", help="rebuild from all of bronze")
    parser.add_argument("--beside", nargs="+", default=[], help="source tables that are being rebuilt")
    parser.add_argument("--days", nargs=2, type=dt.date.fromisoformat, help="rebuild these business days")
    parser.add_argument("--flag-only", action="store_true", help="stop before silver changes")
    parser.add_argument("--flagged", type=json.loads, help="outcome of --flag-only: write its rows")
    parser.add_argument("--files", type=Path, help="list of the files to append, by save_list")
    options = parser.parse_args()
    print(json.dumps(JOBS[options.layer](options)), flush=True)


def _bronze(options: argparse.Namespace) -> dict[str, Any]:
    return append_lines(submitted_session(), _lake(options), load_list(options.files))


def _silver(options: argparse.Namespace) -> dict[str, Any]:
    lake, spark, job = _lake(options), submitted_session(), silver_job(options.table)
    days = tuple(options.days) if options.days else None
    if options.flagged:
        flagged = Flagged(**options.flagged)
    else:
        flagged = flag_new(spark, lake, job, options.timezone, options.full, days)
    return asdict(flagged if options.flag_only else write(spark, lake, job, flagged, options.full, days))


def _gold(options: argparse.Namespace) -> dict[str, Any]:
    return {"rows": build(submitted_session(), _lake(options), GOLD_JOBS[options.table])}


def _versions(options: argparse.Namespace) -> dict[str, Any]:
    job = silver_job(options.table)
    append_versions(submitted_session(), _lake(options), job, options.timezone, options.full)
    return {}


def _lake(options: argparse.Namespace) -> Lake:
    return Lake(options.lake, tuple(options.beside))


JOBS = {"bronze": _bronze, "silver": _silver, "gold": _gold, "versions": _versions}

if __name__ == "__main__":
    main()
