"""lake.delta: addresses, what is new, and progress marks."""

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from lake.delta import Lake
from tests.support.spark_tables import table


def append(lake: Lake, *numbers: int) -> None:
    write_deltalake(lake.uri("bronze.numbers"), pa.table({"n": pa.array(numbers, pa.int64())}), mode="append")


@pytest.mark.parametrize("root", ["s3://shop/lake", "s3://shop/lake/"])
def test_a_tables_address_is_layer_and_name_below_the_root(root: str) -> None:
    assert Lake(root).uri("silver.orders") == "s3://shop/lake/silver/orders"


def test_a_table_that_does_not_exist_is_none_and_has_nothing_new(lake: Lake) -> None:
    assert lake.table("bronze.numbers") is None
    assert lake.files_since("bronze.numbers", None) == ([], None)
    assert lake.progress("bronze.numbers", "elsewhere") is None


def test_files_since_hold_exactly_the_rows_appended_since(lake: Lake, spark: SparkSession) -> None:
    append(lake, 1)
    append(lake, 2, 3)
    for version, expected in [(None, [1, 2, 3]), (0, [2, 3])]:
        files, present = lake.files_since("bronze.numbers", version)
        assert present == 1
        assert sorted(row.n for row in spark.read.parquet(*files).collect()) == expected
    assert lake.files_since("bronze.numbers", 1) == ([], 1)


@pytest.mark.parametrize("folder", ["my lake", "l\u00e4ke", "50%", "a#b", "a?b"])
def test_a_root_that_the_libraries_spell_differently_is_refused(tmp_path: Path, folder: str) -> None:
    for root in ((tmp_path / folder).as_uri(), f"file:///{folder}"):
        with pytest.raises(ValueError, match="ASCII letters"):
            Lake(root)


@pytest.mark.parametrize(
    "root", ["file:///home/me/my-shop_1.0/lake", "abfss://lake@shop.dfs.example.com/a=b", "s3://shop"]
)
def test_any_other_root_is_taken(root: str) -> None:
    assert Lake(root).root == root


def test_progress_is_remembered_and_adds_no_rows(lake: Lake, spark: SparkSession) -> None:
    append(lake, 1)
    lake.mark_progress("bronze.numbers", "source", 7)
    assert lake.progress("bronze.numbers", "source") == 7
    assert lake.progress("bronze.numbers", "another") is None
    assert table(spark, lake, "bronze.numbers") == [(1,)]


def test_marking_the_same_progress_again_makes_no_commit(lake: Lake) -> None:
    append(lake, 1)
    lake.mark_progress("bronze.numbers", "source", 7)
    lake.mark_progress("bronze.numbers", "source", 7)
    present = lake.table("bronze.numbers")
    assert present is not None
    assert present.version() == 1


def test_lost_rows_are_noticed_and_other_commits_are_not(lake: Lake) -> None:
    append(lake, 1, 2, 3)
    append(lake, 4)
    numbers = lake.table("bronze.numbers")
    assert numbers is not None
    gone = pa.table({"n": pa.array([3], pa.int64())})
    same = numbers.merge(gone, "old.n = gone.n", source_alias="gone", target_alias="old")
    same.when_matched_update({"n": "gone.n"}).execute()
    numbers.optimize.compact()
    assert not lake.has_lost_rows_since("bronze.numbers", 0)
    numbers.merge(
        gone, "old.n = gone.n", source_alias="gone", target_alias="old"
    ).when_matched_delete().execute()
    by_merge = numbers.version()
    assert lake.has_lost_rows_since("bronze.numbers", by_merge - 1)
    assert lake.has_lost_rows_since("bronze.numbers", 0)
    assert not lake.has_lost_rows_since("bronze.numbers", by_merge)
    numbers.delete("n = 1")
    assert lake.has_lost_rows_since("bronze.numbers", by_merge)


def test_a_column_has_values_once_one_row_has_one(lake: Lake) -> None:
    append(lake, 1)
    assert lake.has_values("bronze.numbers", "n")
    assert not lake.has_values("bronze.numbers", "note")
    assert not lake.has_values("bronze.letters", "n")
    lake.add_columns("bronze.numbers", pa.schema([("note", pa.string())]))
    assert not lake.has_values("bronze.numbers", "note")
    for note in (None, "seen"):
        rows = pa.table({"n": pa.array([3], pa.int64()), "note": pa.array([note], pa.string())})
        write_deltalake(lake.uri("bronze.numbers"), rows, mode="append")
        assert lake.has_values("bronze.numbers", "note") == (note is not None)
