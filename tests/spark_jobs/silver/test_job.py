"""All that bronze holds of one business day, flagged again; nothing else of the lake moves."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lake.delta import Lake
from spark_jobs.silver import job as silver
from spark_jobs.silver.jobs import silver_job
from tasks.ledger.records import append_records
from tests.support.rows import DAY, NEXT_DAY, at, click, order
from tests.support.spark_tables import clicks, run, table, write_bronze


def versions(lake: Lake, folder: Path) -> dict[str, int]:
    names = [f"{layer.name}.{path.name}" for layer in folder.iterdir() for path in layer.iterdir()]
    return {name: lake.table(name).version() for name in names if not name.startswith("flagged_day.")}


@pytest.mark.parametrize(
    ("timezone", "day", "keys"),
    [
        pytest.param("UTC", DAY, [1, 2], id="the day, whatever run brought it"),
        pytest.param("UTC", NEXT_DAY, [1, 4], id="the next day has a newer version of the first"),
        # 23:30 in UTC is 8:30 of the next day in Tokyo.
        pytest.param("Asia/Tokyo", NEXT_DAY, [1, 2, 4], id="by the shop's calendar"),
    ],
)
def test_a_day_of_a_change_log(
    spark: SparkSession, lake: Lake, tmp_path: Path, timezone: str, day: object, keys: list[int]
) -> None:
    write_bronze(lake, "orders", [order(1), order(2, quantity=0, updated_at=at(DAY, 23, 30))])
    run(spark, lake, silver_job("orders"), timezone)
    write_bronze(lake, "orders", [order(1, updated_at=at(NEXT_DAY, 1)), order(4, updated_at=at(NEXT_DAY, 2))])
    before = versions(lake, tmp_path)
    assert silver.flag_day(spark, lake, silver_job("orders"), timezone, day) == len(keys)
    assert table(spark, lake, "flagged_day.orders", "order_id") == [(key,) for key in keys]
    assert versions(lake, tmp_path) == before


def test_a_day_of_clicks_is_its_folder(spark: SparkSession, lake: Lake) -> None:
    lines = clicks(click("a"), "no event", click("b", timestamp=at(NEXT_DAY).isoformat()))
    write_bronze(lake, "clickstream", [*lines, lines[0] | {"ds": NEXT_DAY}])
    assert silver.flag_day(spark, lake, silver_job("clickstream"), "UTC", DAY) == 3
    assert table(spark, lake, "flagged_day.clickstream", "line_number", "reject_reason") == [
        (1, None),
        (2, "line_is_event"),
        (3, None),
    ]


def test_a_day_that_brought_nothing(spark: SparkSession, lake: Lake) -> None:
    assert silver.flag_day(spark, lake, silver_job("orders"), "UTC", DAY) == 0


@pytest.mark.parametrize(
    ("fix", "is_back"),
    [
        pytest.param("patch", False, id="a patch has replaced it"),
        pytest.param("source", False, id="a newer version has replaced it"),
        pytest.param("rule", True, id="the rule that let it out is gone again"),
    ],
)
def test_what_has_left_quarantine_stays_out_of_a_rebuild(
    sail: SparkSession, lake: Lake, fix: str, is_back: bool
) -> None:
    job, read = silver_job("orders"), at(DAY, 18)
    write_bronze(lake, "orders", [order(1, quantity=0, read_at=read), order(2, status="lost", read_at=read)])
    run(sail, lake, job)
    ids = dict(table(sail, lake, "quarantine.orders", "key", "quarantine_id"))
    record = {"quarantine_id": ids["1"], "table_name": "orders", "fix": fix, "read_at": read}
    append_records(lake, "replayed_rows", [record])
    run(sail, lake, job, full=True)
    kept = [("1",), ("2",)] if is_back else [("2",)]
    assert table(sail, lake, "quarantine.orders", "key") == kept
    # The source says it once more.
    write_bronze(lake, "orders", [order(1, quantity=0, read_at=at(NEXT_DAY))])
    run(sail, lake, job)
    assert table(sail, lake, "quarantine.orders", "key") == [("1",), ("2",)]
