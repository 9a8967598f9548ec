"""A table's files in parts, on which the engine in this process works one after the other, in bounded memory.

A part ends up equal to a run of its own: what a later one brings is compared with what an earlier one wrote.
An Apache Spark has executors, and gets everything at once.
"""

import pyarrow.fs as pafs
from pyspark.sql import SparkSession

from spark_jobs.tables import EMBEDDED

# Of Parquet: some three million clicks, or ten million orders.
PART_BYTES = 256 << 20


def in_parts(spark: SparkSession, files: list[str]) -> list[list[str]]:
    """These files in the order in which they were written, in parts of PART_BYTES; at least one part."""
    if len(files) < 2 or not spark.conf.get(EMBEDDED, ""):
        return [files]
    filesystem, _ = pafs.FileSystem.from_uri(files[0])
    paths = [pafs.FileSystem.from_uri(file)[1] for file in files]
    written = sorted(
        zip(filesystem.get_file_info(paths), files, strict=True), key=lambda one: one[0].mtime_ns
    )
    parts: list[list[str]] = [[]]
    room = PART_BYTES
    for info, file in written:
        if parts[-1] and info.size > room:
            parts.append([])
            room = PART_BYTES
        parts[-1].append(file)
        room -= info.size
    return parts
