"""The plan of a backfill: days, rows, files and time, from a real shop and the marks of a real lake."""

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from tasks.backfill.plan import Plan, plan_backfill
from tasks.backfill.screen import show
from tasks.ingest.clickstream import extract_clickstream
from tasks.ingest.postgres import extract_table
from tasks.ledger.records import append_records
from tests.support.ledger_records import run_record
from tests.support.platforms import Platform, here, lake_here
from tests.support.rows import DAY, NEXT_DAY, at, click, customer, order, product, put, write_clicks

LATER = NEXT_DAY + dt.timedelta(days=1)


@pytest.fixture
def shop(platform: Platform) -> Platform:
    """A customer and a product of the day before DAY; one, two and three orders on the days from DAY."""
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    for number, day in enumerate([DAY, NEXT_DAY, LATER], start=1):
        put(platform, "orders", *(order(10 * number + each, order_date=day) for each in range(number)))
    write_clicks(platform.clickstream, DAY, [click("a")])
    write_clicks(platform.clickstream, NEXT_DAY, [click("b")])
    write_clicks(platform.clickstream, NEXT_DAY, [click("c")], "part-1.jsonl")
    return platform


def extract(day: dt.date, *tables: str) -> None:
    for table in tables:
        extract_table.fn(table, day, *here())


def shown(plan: Plan) -> str:
    console = Console(file=StringIO(), width=100)
    show(plan, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_before_the_first_run_the_first_day_brings_all_that_lies_before(shop: Platform) -> None:
    plan = plan_backfill(DAY, LATER, *here())
    assert [day.rows for day in plan.days] == [
        {"customers": 1, "orders": 1, "products": 1},
        {"customers": 0, "orders": 2, "products": 0},
        {"customers": 0, "orders": 3, "products": 0},
    ]
    assert [len(day.files) for day in plan.days] == [1, 2, 0]
    assert plan.since is None
    assert plan.to_do == plan.days
    text = shown(plan)
    assert "3 of 3 days to do: 8 rows, 3 click files of" in text
    assert "brings the shop's rows from before, too" in text
    assert "No daily run has completed yet" in text


def test_a_day_is_done_when_all_its_tables_and_files_are_in_bronze(shop: Platform) -> None:
    extract(DAY, "orders", "customers", "products")
    assert [day.is_done for day in plan_backfill(DAY, LATER, *here()).days] == [False, False, False]
    extract_clickstream.fn(DAY, *here())
    plan = plan_backfill(DAY, LATER, *here())
    assert [day.is_done for day in plan.days] == [True, False, False]
    assert plan.since == at(NEXT_DAY, 0)
    extract(NEXT_DAY, "orders", "customers")
    extract_clickstream.fn(NEXT_DAY, *here())
    assert [day.is_done for day in plan_backfill(DAY, LATER, *here()).days] == [True, False, False]
    extract(LATER, "orders", "customers", "products")
    assert [day.is_done for day in plan_backfill(DAY, LATER, *here()).days] == [True, True, True]
    assert "since 2024-03-05 00:00 UTC, too" in shown(plan)


def test_a_file_that_has_changed_is_to_do_again(shop: Platform) -> None:
    extract(LATER, "orders", "customers", "products")
    extract_clickstream.fn(DAY, *here())
    file = write_clicks(shop.clickstream, DAY, [click("a"), click("d")])
    [day] = plan_backfill(DAY, DAY, *here()).days
    assert (day.is_covered, day.is_done, day.files) == (True, False, [file.stat().st_size])


@pytest.mark.parametrize(
    ("records", "is_published"),
    [
        pytest.param([("backfill", "completed")], True, id="completed"),
        pytest.param([("backfill", "running")], False, id="killed"),
        pytest.param(
            [("backfill", "failed"), ("daily-ecommerce-pipeline", "completed")], True, id="made good"
        ),
        pytest.param([("backfill", "completed"), ("rebuild", "failed")], False, id="spoilt"),
        pytest.param([("backfill", "completed"), ("maintenance", "failed")], True, id="of no concern"),
    ],
)
def test_what_is_in_the_lake_and_in_no_mart_is_to_do(
    shop: Platform, records: list[tuple[str, str]], is_published: bool
) -> None:
    extract(LATER, "orders", "customers", "products")
    for number, (flow, status) in enumerate(records):
        started = {"started_at": at(LATER, number), "flow": flow}
        append_records(lake_here(), "pipeline_runs", [run_record(str(number), "running", **started)])
        append_records(lake_here(), "pipeline_runs", [run_record(str(number), status, **started)])
    plan = plan_backfill(LATER, LATER, *here())
    assert plan.to_do == []
    assert plan.is_done == is_published
    expected = "nothing to do" if is_published else "the marts are to be built"
    assert expected in shown(plan)


def test_the_time_is_that_of_the_last_daily_runs(shop: Platform) -> None:
    def ran(number: int, seconds: float, **values: Any) -> dict[str, Any]:
        record = run_record(
            str(number), "completed", flow="daily-ecommerce-pipeline", started_at=at(DAY, number)
        )
        return record | {"duration_seconds": seconds} | values

    records = [ran(0, 9_000), *(ran(number, 60.0 + number) for number in range(1, 8))]
    append_records(
        lake_here(), "pipeline_runs", [*records, ran(8, 1, status="failed"), ran(9, 1, flow="rebuild")]
    )
    plan = plan_backfill(DAY, LATER, *here())
    assert plan.day_seconds == 64
    assert "3 minutes at most: so many daily runs of 64 s" in shown(plan)
