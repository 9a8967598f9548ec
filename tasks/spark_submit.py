"""A Spark job run by `spark-submit`, for clusters that take nothing else: one command, one outcome."""

import json
import shlex
import sys
from typing import Any

from prefect_shell import ShellOperation

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.right import check_right
from spark_jobs.engine.sizing import Size

# Without the variables that a Spark Connect session sets in its process: a job would ask for such a session.
ON_ITS_OWN = ["env", "-u", "SPARK_REMOTE", "-u", "SPARK_CONNECT_MODE_ENABLED"]


def submit(settings: Settings, layer: str, table: str, size: Size, *arguments: str) -> dict[str, Any]:
    """Submit the job of `<layer>.<table>` by SPARK_SUBMIT and wait for it; returns the outcome it printed.

    The rest of its output is in the run's log. Raises PermanentFailure if it fails, or printed no outcome.
    """
    check_right()
    program, *options = shlex.split(settings.spark_submit)
    job = f"{layer}.{table}"
    script = str(REPOSITORY / "spark_jobs" / "engine" / "submitted.py")
    # Ours first: of two options with one name Spark takes the last.
    command = [*ON_ITS_OWN, program, *size.options(), *options, script, layer, table]
    operation = ShellOperation(
        commands=[shlex.join([*command, "--lake", settings.lake_uri, *arguments])],
        env={"PYTHONPATH": str(REPOSITORY), "PYSPARK_DRIVER_PYTHON": sys.executable},
        working_dir=REPOSITORY,
    )
    try:
        lines = operation.run()
    except RuntimeError as error:
        raise PermanentFailure(
            f"spark-submit of {job} failed ({error}); its output is in this run's log, above"
        ) from error
    try:
        return json.loads(lines[-1])
    except (IndexError, ValueError):
        raise PermanentFailure(
            f"spark-submit of {job} ended without an outcome; have SPARK_SUBMIT run the driver here "
            "(--deploy-mode client)"
        ) from None
