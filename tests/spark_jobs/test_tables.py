"""spark_jobs.tables: one commit, counts that are checked, and doing it twice changes nothing."""

from threading import Thread

import pytest
from deltalake import DeltaTable
from pyspark.sql import DataFrame, SparkSession

from lake.delta import Lake
from spark_jobs import tables as module
from spark_jobs.tables import CountMismatch, Upserted, overwrite, row_count, upsert
from tests.support.spark_tables import table

NAME = "silver.things"
OLD = [(1, 10, "old"), (2, 10, "old"), (3, None, "old")]


def things(spark: SparkSession, *rows: tuple[int, int | None, str]) -> DataFrame:
    return spark.createDataFrame(list(rows), "id bigint, version bigint, value string")


def put(spark: SparkSession, lake: Lake, *rows: tuple[int, int | None, str], name: str = NAME) -> Upserted:
    return upsert(spark, things(spark, *rows), lake, name, "id", ["version"], "new.version > old.version")


def test_overwrite_replaces_all_rows_and_counts_them(spark: SparkSession, lake: Lake) -> None:
    assert overwrite(things(spark, *OLD), lake, NAME) == 3
    assert overwrite(things(spark, (9, 1, "new")), lake, NAME) == 1
    assert table(spark, lake, NAME) == [(9, 1, "new")]
    assert overwrite(things(spark), lake, NAME) == 0
    assert table(spark, lake, NAME) == []


@pytest.mark.parametrize(
    ("rows", "done", "expected"),
    [
        ([], Upserted(), OLD),
        ([(4, 1, "new")], Upserted(fresh=1), [*OLD, (4, 1, "new")]),
        ([(1, 11, "new")], Upserted(replaced=1), [(1, 11, "new"), *OLD[1:]]),
        ([(1, 10, "same version")], Upserted(stale=1), OLD),
        ([(1, 9, "older")], Upserted(stale=1), OLD),
        ([(1, None, "cannot be compared")], Upserted(stale=1), OLD),
        (
            [(1, 11, "new"), (2, 9, "older"), (4, None, "new")],
            Upserted(fresh=1, replaced=1, stale=1),
            [(1, 11, "new"), *OLD[1:], (4, None, "new")],
        ),
    ],
)
def test_new_keys_and_winning_rows_come_in(
    spark: SparkSession, lake: Lake, rows: list, done: Upserted, expected: list
) -> None:
    assert put(spark, lake, *OLD) == Upserted(fresh=3)
    before = DeltaTable(lake.uri(NAME)).version()
    assert put(spark, lake, *rows) == done
    assert table(spark, lake, NAME) == expected
    # One commit if anything is written, none if not.
    assert DeltaTable(lake.uri(NAME)).version() - before == bool(done.fresh + done.replaced)


def test_a_merge_rewrites_only_files_with_a_changed_row(sail: SparkSession, lake: Lake) -> None:
    put(sail, lake, *OLD)
    put(sail, lake, (4, 1, "old"), (5, 1, "old"))
    others = set(DeltaTable(lake.uri(NAME)).file_uris())
    put(sail, lake, (6, 1, "old"))
    before = set(DeltaTable(lake.uri(NAME)).file_uris())
    assert put(sail, lake, (6, 2, "new"), (7, 1, "new")) == Upserted(fresh=1, replaced=1)
    assert before & set(DeltaTable(lake.uri(NAME)).file_uris()) == others


def test_many_rows_are_merged_some_at_a_time(
    sail: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MERGED_AT_ONCE", 4)
    put(sail, lake, *[(key, 1, "old") for key in range(10, 20)])
    before = DeltaTable(lake.uri(NAME)).version()
    new = [(key, 2, "new") for key in range(15, 25)]
    assert put(sail, lake, *new) == Upserted(fresh=5, replaced=5)
    assert DeltaTable(lake.uri(NAME)).version() - before == 3
    assert table(sail, lake, NAME) == [*[(key, 1, "old") for key in range(10, 15)], *new]


def test_the_same_rows_again_change_nothing(spark: SparkSession, lake: Lake) -> None:
    rows = [(1, 11, "new"), (4, 1, "new")]
    put(spark, lake, *OLD)
    put(spark, lake, *rows)
    present, version = table(spark, lake, NAME), DeltaTable(lake.uri(NAME)).version()
    assert put(spark, lake, *rows) == Upserted(stale=2)
    assert table(spark, lake, NAME) == present
    assert DeltaTable(lake.uri(NAME)).version() == version


def test_an_emptied_table_is_filled_again(spark: SparkSession, lake: Lake) -> None:
    put(spark, lake, *OLD)
    overwrite(things(spark), lake, NAME)
    assert put(spark, lake, *OLD) == Upserted(fresh=3)
    assert table(spark, lake, NAME) == OLD


def test_a_write_that_grows_the_table_otherwise_is_refused(
    spark: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(spark, lake, *OLD)
    counts = iter([3, 5, 5])
    monkeypatch.setattr(module, "row_count", lambda _: next(counts))
    with pytest.raises(
        CountMismatch, match=r"silver\.things: 1 new keys were expected, the table grew by 2 rows"
    ):
        put(spark, lake, (4, 1, "new"))


def test_threads_may_upsert_into_several_tables_on_one_session(spark: SparkSession, lake: Lake) -> None:
    names = [f"silver.things_{number}" for number in range(4)]
    for name in names:
        put(spark, lake, (1, 1, "old"), name=name)
    threads = [Thread(target=put, args=(spark, lake, (1, 2, name)), kwargs={"name": name}) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [table(spark, lake, name) for name in names] == [[(1, 2, name)] for name in names]


def test_row_count_follows_the_log(spark: SparkSession, lake: Lake) -> None:
    put(spark, lake, *OLD)
    put(spark, lake, (1, 11, "new"), (4, 1, "new"))
    assert row_count(DeltaTable(lake.uri(NAME))) == 4
