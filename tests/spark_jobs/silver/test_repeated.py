"""Repeated keys are found alike by both engines, without the rejected rows, and beyond a limit of memory."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import LongType, StringType, StructField

from lake.delta import Lake
from spark_jobs.rows import first_per_key
from spark_jobs.silver import repeated as module
from spark_jobs.silver.repeated import find_repeated
from spark_jobs.tables import overwrite
from tests.support.spark_tables import values

NAME = "flagged.things"


@pytest.mark.parametrize(
    ("key", "keys"),
    [
        (StructField("key", LongType()), [7, 8, -9, 2**62]),
        (StructField("key", StringType()), ["a", "A", " a", "\u00e9"]),
    ],
)
def test_keys_of_valid_rows_that_come_again(
    spark: SparkSession, lake: Lake, key: StructField, keys: list
) -> None:
    once, twice, thrice, rejected = keys
    cases = [
        (once, 1, None),
        (twice, 1, None),
        (twice, 2, None),
        *[(thrice, number, None) for number in (3, 1, 2)],
        (once, 0, "a rule"),
        (rejected, 1, "a rule"),
        (rejected, 2, "a rule"),
        (None, 1, "a rule"),
        (None, 2, "a rule"),
    ]
    overwrite(
        spark.createDataFrame(cases, f"key {key.dataType.simpleString()}, place int, reject_reason string"),
        lake,
        NAME,
    )
    found = find_repeated(spark, lake, NAME, key)
    assert found.surplus == 3
    valid = spark.createDataFrame(
        [case for case in cases if case[2] is None],
        f"key {key.dataType.simpleString()}, place int, reject_reason string",
    ).drop("reject_reason")
    assert found.hashes.count() == 2
    kept = first_per_key(valid, "key", [F.col("place")], found.hashes)
    assert values(kept) == sorted([(once, 1), (twice, 1), (thrice, 1)], key=str)


def test_more_keys_than_memory(
    sail: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rows = sail.range(1_500_000).selectExpr(
        "md5(cast(id % 1499000 as string)) as key", "cast(null as string) as reject_reason"
    )
    overwrite(rows, lake, NAME)
    monkeypatch.setattr(module, "MEMORY_LIMIT", "50MB")
    found = find_repeated(sail, lake, NAME, StructField("key", StringType()))
    assert (found.surplus, found.hashes.count()) == (1000, 1000)
