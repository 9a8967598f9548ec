"""The lesson's job chain: `python -m benchmarks.lesson_chain YYYY-MM-DD`, a fresh Spark process for every job.

The four extracts have no order among them. One after another they give a time for each job; with
`--concurrent` they start together, as the lesson's scheduler starts them where it has workers to spare.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from benchmarks.contender import REPOSITORY, step
from benchmarks.lesson_jobs import EXTRACTS, TRANSFORMS


def run_job(job: str, day: str, scratch: str) -> None:
    """Run one job in its own process and time it, start of the JVM included."""
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
    environment |= {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": scratch}
    with step(job):
        subprocess.run(
            [sys.executable, "-m", "benchmarks.lesson_jobs", job, day],
            cwd=REPOSITORY,
            env=environment,
            check=True,
        )


def main() -> None:
    """Run the chain for one day."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("day")
    parser.add_argument("--concurrent", action="store_true", help="start the four extracts together")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        with ThreadPoolExecutor(len(EXTRACTS) if arguments.concurrent else 1) as pool:
            for outcome in [pool.submit(run_job, job, arguments.day, scratch) for job in EXTRACTS]:
                outcome.result()
        for job in TRANSFORMS:
            run_job(job, arguments.day, scratch)


if __name__ == "__main__":
    main()
