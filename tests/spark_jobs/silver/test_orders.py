"""silver.orders: row rules at their boundaries, newest version wins, quarantine, and the counts between."""

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from lake.delta import Lake
from lake.row_counts import Flagged
from spark_jobs.silver import job as silver
from spark_jobs.silver.jobs import silver_job
from spark_jobs.tables import CountMismatch
from tests.support.contracts import changed_columns, valid_values
from tests.support.rows import DAY, NEXT_DAY, at, order
from tests.support.spark_tables import reasons, run, table, totals, write_bronze

JOB = silver_job("orders")
ROW_RULES: list[tuple[dict[str, Any], str | None]] = [
    ({"order_id": None}, "order_id_not_null"),
    ({"customer_id": None}, "customer_id_not_null"),
    ({"product_id": None}, "product_id_not_null"),
    ({"amount": Decimal("-0.01")}, "amount_in_range"),
    ({"amount": Decimal("0.00")}, "amount_in_range"),
    ({"amount": Decimal("0.01")}, None),
    ({"amount": Decimal("1000000.00")}, None),
    ({"amount": Decimal("1000000.01")}, "amount_in_range"),
    ({"amount": None}, "amount_in_range"),  # what extraction makes of NaN, too
    ({"quantity": 0}, "quantity_in_range"),
    ({"quantity": 1}, None),
    ({"quantity": 100}, None),
    ({"quantity": 101}, "quantity_in_range"),
    ({"quantity": None}, "quantity_in_range"),
    ({"status": "pending"}, None),
    ({"status": "processing"}, None),
    ({"status": "shipped"}, None),
    ({"status": "delivered"}, None),
    ({"status": "cancelled"}, None),
    ({"status": "Pending"}, "status_known"),
    ({"status": "pending "}, "status_known"),
    ({"status": "refunded"}, "status_known"),
    ({"status": ""}, "status_known"),
    ({"status": None}, "status_known"),
    ({"order_date": NEXT_DAY, "updated_at": at(DAY)}, "order_date_not_in_future"),
    ({"order_date": DAY, "updated_at": at(DAY)}, None),
    ({"order_date": DAY - dt.timedelta(days=400), "updated_at": at(DAY)}, None),
    ({"order_date": None, "updated_at": at(DAY)}, "order_date_not_null"),
    ({"updated_at": None}, "updated_at_not_null"),
    ({"order_id": None, "amount": Decimal("0.00")}, "order_id_not_null"),  # the first rule names it
]


def test_each_row_rule_at_its_boundaries(spark: SparkSession) -> None:
    rows = [order(7) | values for values, _ in ROW_RULES]
    assert reasons(spark, JOB, rows) == [expected for _, expected in ROW_RULES]


# An order dated NEXT_DAY is a day ahead in UTC, and at home where the day has begun already.
BUSINESS_DAYS = [
    ("UTC", at(DAY, 23, 59, 59), "order_date_not_in_future"),
    ("UTC", at(NEXT_DAY), None),
    ("Europe/Berlin", at(DAY, 22, 59, 59), "order_date_not_in_future"),
    ("Europe/Berlin", at(DAY, 23), None),
    ("Pacific/Kiritimati", at(DAY, 9, 59, 59), "order_date_not_in_future"),
    ("Pacific/Kiritimati", at(DAY, 10), None),
    ("America/New_York", at(NEXT_DAY, 4, 59, 59), "order_date_not_in_future"),
    ("America/New_York", at(NEXT_DAY, 5), None),
]


@pytest.mark.parametrize("timezone", sorted({zone for zone, _, _ in BUSINESS_DAYS}))
def test_the_future_begins_at_the_shops_midnight(spark: SparkSession, timezone: str) -> None:
    cases = [(written, expected) for zone, written, expected in BUSINESS_DAYS if zone == timezone]
    rows = [order(7, order_date=NEXT_DAY, updated_at=written) for written, _ in cases]
    assert reasons(spark, JOB, rows, timezone) == [expected for _, expected in cases]


def test_the_newest_valid_version_counts(spark: SparkSession, lake: Lake) -> None:
    write_bronze(
        lake,
        "orders",
        [
            order(1, status="pending", updated_at=at(DAY, 1)),
            order(1, status="shipped", updated_at=at(DAY, 2)),
            order(2, status="pending", updated_at=at(DAY, 1)),
            order(2, status="lost", updated_at=at(DAY, 2)),  # rejected: the valid version before it stays
            order(3, amount=Decimal("0.00")),
        ],
    )
    assert totals(run(spark, lake, JOB)) == ("orders", 5, 2, 1, 2)
    assert table(spark, lake, "silver.orders", "order_id", "status") == [(1, "shipped"), (2, "pending")]
    assert table(spark, lake, "quarantine.orders", "key", "reason", "ds") == [
        ("2", "status_known", DAY),
        ("3", "amount_in_range", DAY),
    ]


def test_versions_that_come_late_or_again_change_nothing(spark: SparkSession, lake: Lake) -> None:
    newest = order(1, status="shipped", updated_at=at(DAY, 2))
    write_bronze(lake, "orders", [newest])
    run(spark, lake, JOB)
    write_bronze(lake, "orders", [order(1, updated_at=at(DAY, 1)), newest])
    assert totals(run(spark, lake, JOB)) == ("orders", 2, 0, 2, 0)
    assert totals(run(spark, lake, JOB)) == ("orders", 0, 0, 0, 0)
    assert table(spark, lake, "silver.orders", *newest) == [tuple(newest.values())]


def test_silver_rebuilt_from_bronze_equals_what_grew(sail: SparkSession, lake: Lake) -> None:
    for batch in (
        [order(1), order(2, status="lost")],
        [order(1, quantity=3, updated_at=at(NEXT_DAY)), order(3, amount=None)],
        [order(2, updated_at=at(NEXT_DAY)), order(1, quantity=2, updated_at=at(DAY, 13))],
    ):
        write_bronze(lake, "orders", batch)
        run(sail, lake, JOB)
    names = ("silver.orders", "quarantine.orders")
    grown = [table(sail, lake, name) for name in names]
    assert totals(run(sail, lake, JOB, full=True)) == ("orders", 6, 2, 2, 2)
    assert [table(sail, lake, name) for name in names] == grown


def test_a_rebuild_that_stops_leaves_every_row_in_silver_or_in_quarantine(
    sail: SparkSession, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_bronze(
        lake, "orders", [order(1, quantity=200), order(2, status="lost"), order(3, status="shipped")]
    )
    run(sail, lake, JOB)
    names = ("silver.orders", "quarantine.orders")
    before = [table(sail, lake, name) for name in names]

    # The rules let in the first, and no longer the third.
    with (
        changed_columns("orders", "quantity", logicalTypeOptions={"minimum": 1, "maximum": 500}),
        changed_columns("orders", "status", quality=valid_values("pending")),
    ):
        job = silver_job("orders")
    flagged = silver.flag_new(sail, lake, job, "UTC", full=True)
    assert flagged.rejected == {"status_known": 2}
    assert [table(sail, lake, name) for name in names] == before

    def stop(rows: DataFrame, lake: Lake, name: str) -> int:
        raise KeyboardInterrupt(name)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt, match=r"silver\.orders"):
        patched.setattr(silver, "overwrite", stop)
        silver.write(sail, lake, job, flagged, full=True)
    assert table(sail, lake, "silver.orders", "order_id") == [(3,)]
    assert table(sail, lake, "quarantine.orders", "key") == [("1",), ("2",), ("3",)]

    silver.write(sail, lake, job, flagged, full=True)
    assert table(sail, lake, "silver.orders", "order_id") == [(1,)]
    assert table(sail, lake, "quarantine.orders", "key") == [("2",), ("3",)]


def test_quarantine_keeps_the_row_exactly(spark: SparkSession, lake: Lake) -> None:
    row = order(1, amount=Decimal("1000000.10"), status='"é\n', updated_at=at(DAY, 12, 0, 0, 1))
    write_bronze(lake, "orders", [row])
    run(spark, lake, JOB)
    ((occurred_at, origin, raw),) = table(spark, lake, "quarantine.orders", "occurred_at", "origin", "raw")
    assert (occurred_at, origin) == (row["updated_at"], "orders/1")
    assert json.loads(raw) == row | {
        "order_date": "2024-03-04",
        "amount": "1000000.10",
        "updated_at": "2024-03-04 12:00:00.000001",
    }


def test_rejected_versions_a_microsecond_apart_are_two(spark: SparkSession, lake: Lake) -> None:
    bad = [order(1, quantity=0, updated_at=at(DAY, microsecond=micro)) for micro in (1, 2)]
    write_bronze(lake, "orders", bad)
    run(spark, lake, JOB)
    run(spark, lake, JOB, full=True)
    assert table(spark, lake, "quarantine.orders", "occurred_at") == [(row["updated_at"],) for row in bad]


def test_an_empty_bronze_makes_empty_tables(spark: SparkSession, lake: Lake) -> None:
    assert totals(run(spark, lake, JOB)) == ("orders", 0, 0, 0, 0)
    assert table(spark, lake, "silver.orders") == table(spark, lake, "quarantine.orders") == []


def test_counts_that_do_not_add_up_stop_the_run(spark: SparkSession, lake: Lake) -> None:
    write_bronze(lake, "orders", [order(1)])
    flagged = silver.flag_new(spark, lake, JOB, "UTC")
    lying = Flagged("orders", flagged.bronze_version, rows_in=2, rejected={})
    with pytest.raises(CountMismatch, match=r"silver\.orders: .*accounted for"):
        silver.write(spark, lake, JOB, lying)
    assert lake.progress("silver.orders", "bronze") is None
    # With the right counts, the next attempt finds everything in place.
    assert totals(silver.write(spark, lake, JOB, flagged)) == ("orders", 1, 0, 1, 0)
    assert lake.progress("silver.orders", "bronze") == 0
