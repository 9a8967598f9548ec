"""The keys that a load holds more than once.

Sail counts the keys of a load in memory, and 20 million of them are gigabytes. So where it is embedded in
this process DuckDB counts them, which goes to disk above a limit.
"""

from dataclasses import dataclass

import pyarrow.dataset as pads
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructField, StructType

from lake.delta import Lake
from lake.local_sql import connect
from spark_jobs.rows import REJECT_REASON, repeated_hashes, surplus
from spark_jobs.tables import EMBEDDED, read_table

# Beside the engine's own memory, and what else a run holds.
MEMORY_LIMIT = "300MB"
# Hashes take half the memory of keys; of the few that repeat, the keys say which are the same.
SUSPECTS = "create temp table suspects as select hash({key}) as hash from keys group by 1 having count(*) > 1"
REPEATED = """
select {key} as key, count(*) as rows from keys
where hash({key}) in (select suspects.hash from suspects)
group by 1 having count(*) > 1
"""


@dataclass(frozen=True)
class Repeated:
    """The repeated keys among valid rows, for `first_per_key`, and the number of rows that it will drop."""

    hashes: DataFrame
    surplus: int


def find_repeated(spark: SparkSession, lake: Lake, name: str, key: StructField) -> Repeated:
    """The repeated keys among the valid rows of the flagged table `name`."""
    if not spark.conf.get(EMBEDDED, ""):
        valid = read_table(spark, lake, name).where(F.col(REJECT_REASON).isNull())
        return Repeated(repeated_hashes(valid, key.name), surplus(valid, key.name))
    with connect() as local:
        local.execute("set memory_limit = ?", [MEMORY_LIMIT])
        local.register("keys", _valid_keys(lake, name, key.name))
        local.execute(SUSPECTS.format(key=key.name))
        # A scanner is read once.
        local.register("keys", _valid_keys(lake, name, key.name))
        found = local.sql(REPEATED.format(key=key.name)).to_arrow_table()
    keys = spark.createDataFrame(found.select(["key"]), StructType([StructField("key", key.dataType)]))
    dropped = sum(found["rows"].to_pylist()) - found.num_rows
    return Repeated(keys.select(F.xxhash64("key").alias("_hash")), dropped)


def _valid_keys(lake: Lake, name: str, key: str) -> pads.Scanner:
    return lake.rows_since(name, None).scanner(
        columns=[key],
        filter=pads.field(REJECT_REASON).is_null(),
        # By default it reads 16 batches of 4 files ahead.
        batch_readahead=2,
        fragment_readahead=1,
    )
