"""spark_jobs.rows: flag, deduplicate, hold to a schema."""

import os
import subprocess
import sys

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from blocks.settings.environment import REPOSITORY
from spark_jobs.rows import SchemaMismatch, first_per_key, flag, require_schema, surplus
from tests.support.spark_tables import values


def test_flag_names_the_first_rule_that_a_row_breaks(spark: SparkSession) -> None:
    cases = [
        (1, 1, 1, None),
        (2, 0, 1, "first"),
        (3, 1, 0, "second"),
        (4, 0, 0, "first"),
        (5, None, 1, "first"),  # a rule without an answer is broken
        (6, 1, None, "second"),
        (7, None, None, "first"),
    ]
    rows = spark.createDataFrame(cases, "id int, a int, b int, expected string")
    flagged = flag(rows, {"first": F.col("a") == 1, "second": F.col("b") == 1})
    assert values(flagged, "id", "reject_reason") == [(id_, expected) for id_, _, _, expected in cases]


def test_first_per_key_keeps_one_row_per_key_by_a_total_order(spark: SparkSession) -> None:
    cases = [
        ("alone", 1, "x", True),
        ("twice", 2, "x", False),
        ("twice", 1, "x", True),
        ("tie broken by the next column", 1, "b", False),
        ("tie broken by the next column", 1, "a", True),
        ("null comes first", 1, "x", False),
        ("null comes first", None, "x", True),
        ("", 1, "x", True),
    ]
    rows = spark.createDataFrame(cases, "key string, place int, value string, kept boolean")
    kept = first_per_key(rows, "key", [F.col("place"), F.col("value")])
    assert values(kept) == sorted(
        (case for case in cases if case[-1]),
        key=lambda case: [(value is not None, str(value)) for value in case],
    )


def test_first_per_key_holds_no_wide_rows() -> None:
    """A join holds one side in memory, and fails above the limit: here it must be the few repeated keys."""
    program = (
        "from pyspark.sql import functions as F; from spark_jobs.engine.session import spark_session;"
        "from spark_jobs.rows import first_per_key;"
        "rows = spark_session('').range(600_000).selectExpr("
        "'cast(id % 599999 as string) as key', 'id', 'repeat(sha2(cast(id as string), 256), 4) as wide');"
        "print(first_per_key(rows, 'key', [F.col('id')]).selectExpr('count(*)', 'sum(length(wide))').collect())"
    )
    limit = {
        "SAIL_RUNTIME__MEMORY_POOL__TYPE": "fair",
        "SAIL_RUNTIME__MEMORY_POOL__FAIR__MAX_SIZE": str(80 << 20),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=os.environ | limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "599999" in done.stdout, done.stderr[-1000:]


@pytest.mark.parametrize(
    ("keys", "expected"), [([], 0), (["a", "b"], 0), (["a", "a"], 1), (["a", "a", "a", "b", "b"], 3)]
)
def test_surplus_is_what_first_per_key_drops(spark: SparkSession, keys: list[str], expected: int) -> None:
    rows = spark.createDataFrame([(key,) for key in keys], "key string")
    assert surplus(rows, "key") == expected
    assert len(keys) - first_per_key(rows, "key", [F.col("key")]).count() == expected


DECLARED = StructType().add("id", "long").add("name", "string")


def test_require_schema_returns_rows_that_fit(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(1, "a")], DECLARED)
    assert values(require_schema(rows, DECLARED)) == [(1, "a")]


@pytest.mark.parametrize(
    ("actual", "named"),
    [
        ("id bigint", "declared but not produced: [('name', 'string')]"),
        ("id bigint, name string, more date", "produced but not declared: [('more', 'date')]"),
        (
            "id int, name string",
            "declared but not produced: [('id', 'bigint')]; produced but not declared: [('id', 'int')]",
        ),
        ("name string, id bigint", "another order: ['name', 'id']"),
    ],
)
def test_require_schema_refuses_and_names_every_difference(
    spark: SparkSession, actual: str, named: str
) -> None:
    with pytest.raises(SchemaMismatch) as refusal:
        require_schema(spark.createDataFrame([], actual), DECLARED)
    assert named in str(refusal.value)
