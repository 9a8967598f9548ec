"""A rebuild of some days: every key with a row of these is judged anew by all of its versions, and no other."""

import datetime as dt

from pyspark.sql import SparkSession

from lake.delta import Lake
from spark_jobs.silver import job as silver
from spark_jobs.silver.jobs import silver_job
from tests.support.contracts import changed_columns
from tests.support.rows import DAY, NEXT_DAY, at, order
from tests.support.spark_tables import run, table, write_bronze

JOB = silver_job("orders")
NAMES = ("silver.orders", "quarantine.orders")


def test_only_keys_of_the_days_are_judged_anew(sail: SparkSession, lake: Lake) -> None:
    many = {"quantity": 200}
    write_bronze(
        lake,
        "orders",
        [
            order(1, **many),
            order(2, **many, order_date=DAY, updated_at=at(NEXT_DAY)),
            # Its valid version is of the other day.
            order(3, quantity=2, updated_at=at(DAY)),
            order(3, **many, updated_at=at(NEXT_DAY)),
            order(4),
            order(None, updated_at=at(DAY)),
            order(None, updated_at=at(NEXT_DAY)),
        ],
    )
    run(sail, lake, JOB)
    quantities = lambda place: table(sail, place, "silver.orders", "order_id", "quantity")  # noqa: E731
    keys = lambda place: table(sail, place, "quarantine.orders", "key")  # noqa: E731
    assert quantities(lake) == [(3, 2), (4, 1)]
    live = [table(sail, lake, name) for name in NAMES]

    beside = Lake(lake.root, ("orders",))
    with changed_columns("orders", "quantity", logicalTypeOptions={"minimum": 1, "maximum": 500}):
        job = silver_job("orders")
    days = (NEXT_DAY, NEXT_DAY + dt.timedelta(days=7))
    flagged = silver.flag_new(sail, beside, job, "UTC", full=True, days=days)
    counts = silver.write(sail, beside, job, flagged, full=True, days=days)

    assert (counts.rows_in, counts.rows_out, counts.duplicates, counts.quarantined) == (4, 2, 1, 1)
    assert quantities(beside) == [(2, 200), (3, 200), (4, 1)]
    assert sorted(keys(beside), key=str) == [("1",), (None,), (None,)]
    # The live tables are as they were, and so is the mark: of other keys no more was read.
    assert [table(sail, lake, name) for name in NAMES] == live
    assert beside.progress("silver.orders", "bronze") == lake.progress("silver.orders", "bronze")
