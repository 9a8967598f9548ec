"""bronze.clickstream by Spark: lines of click files go from the store to the lake, none through the worker.

The rows are those that the worker would have appended (tasks/ingest/click_lines.py). A file that Spark cannot
read as the worker does, with bytes that are no UTF-8 or a damaged gz, is left out, and costs no other.
"""

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from lake.delta import Lake
from spark_jobs.tables import append, read_table, row_count

BRONZE = "bronze.clickstream"
LINE = ["source_file", "line_number", "raw"]
# Spark may have another than the address: s3a of s3, file:/ of file:///.
SCHEME = r"^\w+:/+"
# After so many writes that a file has spoilt, what is left is not Spark's.
TRIES = 5


@dataclass(frozen=True)
class UnreadFile:
    """A click file that bronze does not hold in this version."""

    address: str
    name: str
    version: str
    ds: str
    """The business day of its folder, in ISO 8601."""
    is_changed: bool
    """Whether bronze holds another version of it."""


def save_list(files: Sequence[UnreadFile], path: Path) -> None:
    """Write a list of files for a job that is submitted."""
    path.write_text(json.dumps([asdict(file) for file in files]), encoding="utf-8")


def load_list(path: Path) -> list[UnreadFile]:
    """The list that `save_list` wrote."""
    return [UnreadFile(**file) for file in json.loads(path.read_text(encoding="utf-8"))]


def append_lines(spark: SparkSession, lake: Lake, files: Sequence[UnreadFile]) -> dict[str, Any]:
    """Append the lines of `files` that bronze does not hold, in one commit.

    Returns their number as `rows`, and as `refused` the names of the files that spoilt a write, of which
    nothing was appended. Raises what Spark does if that names none of them.
    """
    table = lake.table(BRONZE)
    before, refused = row_count(table) if table else 0, list[str]()
    for _ in range(TRIES):
        taken = [file for file in files if file.name not in refused]
        if not taken:
            break
        try:
            append(_unseen_lines(spark, lake, taken, table is not None), lake, BRONZE)
            break
        # By Spark Connect it is a PySparkException, in a submitted job Py4J's.
        except Exception as error:
            spoilt = [file.name for file in taken if file.name in str(error)]
            if not spoilt:
                raise
            refused += spoilt
    table = lake.table(BRONZE)
    return {"rows": (row_count(table) if table else 0) - before, "refused": sorted(refused)}


def _unseen_lines(spark: SparkSession, lake: Lake, files: Sequence[UnreadFile], is_there: bool) -> DataFrame:
    lines = _lines(spark, files)
    changed = [file.name for file in files if file.is_changed]
    if not (is_there and changed):
        return lines
    held = read_table(spark, lake, BRONZE).where(F.col("source_file").isin(changed)).select(*LINE)
    return lines.join(held, LINE, "left_anti").select(lines.columns)


def _lines(spark: SparkSession, files: Sequence[UnreadFile]) -> DataFrame:
    # A path below a folder like hour=13 would get a column of that name.
    reader = spark.read.option("recursiveFileLookup", "true")
    texts = reader.text([file.address for file in files], lineSep="\n").select(
        "value",
        F.regexp_replace("_metadata.file_path", SCHEME, "").alias("_path"),
        F.col("_metadata.file_block_start").alias("_block"),
        # Grows along the lines of a block.
        F.monotonically_increasing_id().alias("_row"),
    )
    known = spark.createDataFrame(
        [
            (re.sub(SCHEME, "", file.address), file.name, file.version, dt.date.fromisoformat(file.ds))
            for file in files
        ],
        "_path string, source_file string, source_version string, ds date",
    )
    position = Window.partitionBy("source_file").orderBy("_block", "_row")
    not_text = F.raise_error(F.concat(F.lit("not UTF-8: "), "source_file"))
    return texts.join(F.broadcast(known), "_path").select(
        "ds",
        "source_file",
        "source_version",
        F.row_number().over(position).cast("long").alias("line_number"),
        F.when(F.is_valid_utf8("value"), F.rtrim("value", F.lit("\r"))).otherwise(not_text).alias("raw"),
    )
