"""Click files that Spark reads itself, if SPARK_READS_CLICKS is on: on the flow's session, or submitted."""

import re
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from lake.delta import Lake
from spark_jobs.bronze.clickstream import BRONZE, UnreadFile, append_lines, save_list
from spark_jobs.engine.sizing import size_for
from tasks.ingest.click_files import ClickFile, ClickSource
from tasks.ingest.click_lines import SCHEMA
from tasks.spark_session import session_of
from tasks.spark_submit import submit

# Spark takes others for patterns, or writes them in another way; it hides files that begin with "_" or ".".
PLAIN_ADDRESS = re.compile(r"\w+://[\w./=+@-]*/[a-zA-Z0-9][\w.=+@-]*", re.ASCII)


class Appended(NamedTuple):
    """The number of lines that Spark appended, and the names of files that it could not read."""

    rows: int
    refused: list[str]


def append_by_spark(
    files: Sequence[ClickFile], held: Collection[str], source: ClickSource, settings: Settings, lake: Lake
) -> Appended:
    """Append the lines of `files` to bronze, of those whose name is in `held` only the lines that it lacks.

    Some files may be left: with names that Spark would not take as they are, and those it could not read.
    Raises PermanentFailure if there is no Spark but the one in this process.
    """
    if not (settings.spark_submit or settings.spark_remote.get_secret_value()):
        raise PermanentFailure(
            "SPARK_READS_CLICKS is on, but Spark is the one in the worker: "
            "set SPARK_REMOTE or SPARK_SUBMIT (docs/spark.md), or turn it off"
        )
    listed = [(file, source.address(file)) for file in files]
    taken = [
        UnreadFile(address, file.name, file.version, file.day.isoformat(), file.name in held)
        for file, address in listed
        if PLAIN_ADDRESS.fullmatch(address)
    ]
    if not taken:
        return Appended(0, [])
    # A table from before a column was added.
    lake.add_columns(BRONZE, SCHEMA)
    size = size_for(sum(file.size for file in files))
    if not settings.spark_submit:
        return Appended(**append_lines(session_of(settings, size), lake, taken))
    with tempfile.TemporaryDirectory(prefix="clicks-") as folder:
        path = Path(folder) / "files.json"
        save_list(taken, path)
        return Appended(**submit(settings, "bronze", "clickstream", size, "--files", str(path)))
