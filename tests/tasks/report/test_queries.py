"""What the report says, added up by hand: sums, means of the week before, and what it leaves out."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tasks.ledger.queries import QualityDay
from tasks.report.models import QuarantineReason, ReportData, Segment, Share, Totals
from tasks.report.queries import DAYS_SHOWN, LONGEST_LIST, read_report_data
from tests.support.platforms import lake_here
from tests.support.report_marts import HOSTILE, days_ago, marts, record_quality_days, shop
from tests.support.rows import DAY


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportData]:
    """The report about the hand-made shop."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_URI", tmp_path_factory.mktemp("lake").as_uri())
        record_quality_days()
        yield read_report_data(shop(), lake_here(), DAY)


def test_the_day(data: ReportData) -> None:
    day = data.day
    assert (day.date, day.orders, day.customers, day.revenue) == (DAY, 3, 2, Decimal("120.50"))
    assert round(day.average_order or 0, 2) == Decimal("40.17")
    # 25.00 of profit on the 100.00 whose cost is known.
    assert day.margin_pct == 25
    assert day.conversion_pct == 15


def test_the_day_before_and_the_week_before(data: ReportData) -> None:
    assert data.day_before is not None
    assert data.week is not None
    assert (data.day_before.date, data.day_before.revenue) == (days_ago(1), 70)
    assert (data.week.orders, data.week.revenue, data.week.margin_pct) == (1, 70, 50)
    # Clicks came on one day of the seven: their rate is that day's.
    assert data.week.conversion_pct == 10


def test_days_without_orders_are_zeros_and_the_first_day_is_where_the_list_begins(folder: Path) -> None:
    orders = [(1, "1", days_ago(4), 1, "10.00", None, None), (2, "2", DAY, 1, "12.00", None, None)]
    data = read_report_data(marts(fct_orders=orders), lake_here(), DAY)
    assert [(day.date, day.revenue) for day in data.days] == [
        (days_ago(4), 10),
        (days_ago(3), 0),
        (days_ago(2), 0),
        (days_ago(1), 0),
        (DAY, 12),
    ]
    assert data.week is not None
    assert data.week.revenue == Decimal("2.5")
    assert data.day.margin_pct is None
    assert data.day.conversion_pct is None


def test_no_more_days_are_shown_than_a_page_has_room_for(folder: Path) -> None:
    orders = [(days, str(days), days_ago(days), 1, "10.00", None, None) for days in range(-3, 60)]
    data = read_report_data(marts(fct_orders=orders), lake_here(), DAY)
    assert len(data.days) == DAYS_SHOWN
    assert (data.days[0].date, data.days[-1].date) == (days_ago(DAYS_SHOWN - 1), DAY)


def test_an_empty_warehouse_makes_an_empty_report(folder: Path) -> None:
    data = read_report_data(marts(), lake_here(), DAY)
    assert (data.day.revenue, data.day.average_order, data.week, data.day_before) == (0, None, None, None)
    assert (data.sales["region"], data.funnel, data.segments) == ([], [], [])
    assert (data.stock.states, data.quality, data.quarantine) == ({}, [], [])


def test_sales_by_part_largest_first_with_the_mean_of_the_week(data: ReportData) -> None:
    assert data.sales == {
        "category": [
            Share(name=HOSTILE, value=Decimal(100), usual=Decimal(0)),
            Share(name="home", value=Decimal("20.5"), usual=Decimal(70)),
        ],
        "region": [
            Share(name="north", value=Decimal(100), usual=Decimal(70)),
            Share(name="Ñandú 東京", value=Decimal("20.5"), usual=Decimal(0)),
        ],
        "customer_segment": [Share(name="gold", value=Decimal("120.5"), usual=Decimal(70))],
    }


def test_the_small_parts_are_shown_together(folder: Path) -> None:
    names = [f"category {number:02}" for number in range(LONGEST_LIST + 3)]
    sales = [(DAY, name, "north", "gold", str(100 - number)) for number, name in enumerate(names)]
    shares = read_report_data(marts(agg_daily_sales=sales), lake_here(), DAY).sales["category"]
    assert [share.name for share in shares] == [*names[: LONGEST_LIST - 1], "4 others"]
    # 100 - 11 … 100 - 14
    assert shares[-1].value == 89 + 88 + 87 + 86


def test_the_funnel(data: ReportData) -> None:
    assert [(step.name, step.value, step.usual) for step in data.funnel] == [
        ("Sessions", 200, 100),
        ("Sessions that viewed a product", 150, 90),
        ("Sessions that filled a cart", 80, 50),
        ("Sessions that went to checkout", 40, 20),
        ("Sessions that bought", 30, 10),
    ]


def test_the_segments(data: ReportData) -> None:
    assert data.segments == [
        Segment(name="champion", customers=1, revenue=Decimal("730.00"), recency_days=0),
        Segment(name="at_risk", customers=1, revenue=Decimal("20.50"), recency_days=3),
    ]


def test_stock_at_risk_is_what_is_out_and_then_what_is_low(data: ReportData) -> None:
    assert data.stock.states == {"out": 1, "low": 1, "ok": 1}
    assert str(data.stock.newest_event_at) == "2024-03-04 23:05:00"
    assert [(item.product_id, item.state) for item in data.stock.at_risk] == [(1, "out"), (2, "low")]


def test_the_worst_of_much_stock_at_risk(folder: Path) -> None:
    stock = [(number, "p", "c", 1, 1.0, 20.0 - number, 9.0, "low", "2024-03-04") for number in range(1, 16)]
    at_risk = read_report_data(marts(inventory_status=stock), lake_here(), DAY).stock.at_risk
    assert [item.product_id for item in at_risk] == list(range(15, 15 - LONGEST_LIST, -1))


def test_quality_is_of_each_day(data: ReportData) -> None:
    assert data.quality == [
        QualityDay(days_ago(1), 50, 0, expectations=2, critical=0, warnings=1),
        QualityDay(DAY, 200, 5, expectations=1, critical=0, warnings=0),
    ]
    assert [day.score for day in data.quality] == [1, 0.975]


def test_quarantine_by_reason_with_the_newest_keys(data: ReportData) -> None:
    assert data.quarantine == [
        QuarantineReason(
            source="orders",
            reason="amount_in_range",
            rows=2,
            rows_of_day=1,
            newest_ds=DAY,
            samples=["25", HOSTILE],
        ),
        QuarantineReason(
            source="clickstream", reason="line_is_event", rows=1, rows_of_day=1, newest_ds=DAY, samples=[]
        ),
    ]


@pytest.mark.parametrize(
    ("totals", "expected"),
    [
        pytest.param(Totals(), (None, None, None), id="a day of nothing"),
        pytest.param(
            Totals(orders=Decimal(4), revenue=Decimal(10)), (Decimal("2.5"), None, None), id="no cost known"
        ),
        pytest.param(
            Totals(
                known_cost_revenue=Decimal(50), profit=Decimal(-5), sessions=Decimal(8), purchases=Decimal(1)
            ),
            (None, Decimal(-10), Decimal("12.5")),
            id="sold at a loss",
        ),
    ],
)
def test_ratios(totals: Totals, expected: tuple[Decimal | None, ...]) -> None:
    assert (totals.average_order, totals.margin_pct, totals.conversion_pct) == expected


def test_every_query_is_one_that_other_warehouses_understand(folder: Path) -> None:
    """No word that DuckDB alone has."""
    asked = []
    query = shop()

    def listen(sql: str) -> list[dict[str, Any]]:
        asked.append(sql.lower())
        return query(sql)

    read_report_data(listen, lake_here(), DAY)
    assert len(asked) > 8
    for foreign in ("qualify", "filter (", "::", "group by all", "starts_with", "ilike", "?", "interval"):
        assert not [sql for sql in asked if foreign in sql]
