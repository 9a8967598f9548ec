"""The share of an Apache Spark that a step gets, from the bytes of Parquet that it reads (docs/cost.md).

The formula: one shuffle partition for each PARTITION_BYTES, and as many executors as work these off in WAVES
turns. Spark's own default, always 200 partitions, is 200 tasks for a few rows and too few for a terabyte.
Adaptive execution merges partitions that turn out small, but cannot split too few.
"""

import math
from dataclasses import dataclass

from pyspark.sql import SparkSession

# Compressed, as it lies in the lake: some 200 MB in a task's memory.
PARTITION_BYTES = 64 << 20
CORES_PER_EXECUTOR = 4
WAVES = 3
MOST_EXECUTORS = 50


@dataclass(frozen=True)
class Size:
    """Shuffle partitions and executors of one step."""

    shuffle_partitions: int
    executors: int

    def options(self) -> list[str]:
        """The size as options of spark-submit."""
        conf = {
            # A standalone cluster counts no executors but cores, and gives all that are free if not told.
            "spark.cores.max": CORES_PER_EXECUTOR * self.executors,
            "spark.executor.cores": CORES_PER_EXECUTOR,
            "spark.executor.instances": self.executors,
            "spark.sql.shuffle.partitions": self.shuffle_partitions,
        }
        return [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]

    def apply(self, spark: SparkSession) -> None:
        """Set the shuffle partitions of a session; its executors are chosen by its owner."""
        spark.conf.set("spark.sql.shuffle.partitions", str(self.shuffle_partitions))


def size_for(input_bytes: int) -> Size:
    """The size of a step that reads `input_bytes`: at least one executor, every core of which has work."""
    partitions = max(1, math.ceil(input_bytes / PARTITION_BYTES))
    executors = min(MOST_EXECUTORS, math.ceil(partitions / (CORES_PER_EXECUTOR * WAVES)))
    cores = executors * CORES_PER_EXECUTOR
    # A multiple of the cores: no last wave in which most of them wait.
    return Size(shuffle_partitions=math.ceil(partitions / cores) * cores, executors=executors)
