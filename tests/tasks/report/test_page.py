"""The report as a person sees it, in a headless Chromium: what is drawn, what it says, how wide it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.services.browser import Page
from tasks.report.daily_report import write_pages
from tasks.report.queries import Query
from tests.support.platforms import here
from tests.support.report_marts import HOSTILE, days_ago, finished, marts, record_quality_days, shop
from tests.support.rows import DAY

DRAWN = "document.querySelectorAll('.js-plotly-plot .main-svg').length > 0 && !document.querySelector('.chart:empty')"
MAX_BYTES = 5_000_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where lake and reports are."""
    made = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAKE_URI", (made / "lake").as_uri())
        patch.setenv("REPORT_DIR", str(made / "reports"))
        yield made


@pytest.fixture(scope="module")
def query() -> Query:
    return shop()


@pytest.fixture(scope="module")
def page(folder: Path, query: Query) -> Path:
    """The report about the hand-made shop."""
    record_quality_days()
    note = f"customers.{HOSTILE} is new"
    write_pages(finished(extracted=[{"table": "customers", "rows": 1, "warnings": [note]}]), *here(), query)
    return folder / "reports" / f"{DAY}.html"


def texts(browser: Page, selector: str) -> list[str]:
    return browser.evaluate(f"[...document.querySelectorAll('{selector}')].map(e => e.textContent)")


def values(browser: Page, selector: str) -> list[float]:
    return browser.evaluate(f"[...document.querySelectorAll('{selector} data')].map(e => +e.value)")


def test_every_chart_is_drawn_without_a_complaint_or_a_request(
    browser: Page, page: Path, query: Query
) -> None:
    assert page.stat().st_size < MAX_BYTES
    browser.open(page, 1280, DRAWN)
    assert browser.complaints == []
    assert browser.requests == [page.as_uri()]
    drawn = browser.evaluate(
        "[...document.querySelectorAll('.js-plotly-plot')].map("
        "e => [e.dataset.figure, e.querySelectorAll('.point, .points > path').length])"
    )
    # Bars and ticks: one each for 2 categories, 2 regions, a segment; 10 days' bars; 5 steps; and so on.
    assert dict(drawn) == {
        "sales-by-day": 10,
        "sales-by-category": 4,
        "sales-by-region": 4,
        "sales-by-customer_segment": 2,
        "funnel": 10,
        "segments": 2,
        "quality": 2,
        "quarantine": 2,
    }


def test_the_figures_are_those_of_the_marts(browser: Page, page: Path, query: Query) -> None:
    browser.open(page, 1280, DRAWN)

    [day] = query(
        "select sum(order_amount) as revenue, count(distinct order_number) as orders, "
        "count(distinct customer_id) as customers "
        "from gold.fct_orders where order_date = date '2024-03-04'"
    )
    for name, value in day.items():
        assert values(browser, f"#{name}") == [float(value)]
    assert texts(browser, ".tile .figure") == ["120", "3", "40.17", "2", "25.0 %", "15.0 %"]
    # 120.50 after 70.00; margin 25 after 50; conversion 15 after 10.
    assert texts(browser, ".tile:nth-child(1) dd span") == ["▲ 72.1 %"] * 2
    assert texts(browser, ".tile:nth-child(5) dd span") == ["▼ 25.0 pts"] * 2
    assert texts(browser, ".tile:nth-child(6) dd span") == ["▲ 5.0 pts"] * 2

    for column in ("category", "region", "customer_segment"):
        sold = query(
            f"select sum(total_revenue) as revenue from gold.agg_daily_sales "
            f"where order_date = date '2024-03-04' group by {column} order by revenue desc"
        )
        shown = values(browser, f"#{column} td:nth-child(2)")
        assert shown == [float(row["revenue"]) for row in sold]

    by_day = query(
        "select sum(total_revenue) as r from gold.agg_daily_sales group by order_date order by order_date"
    )
    assert values(browser, "#days td:nth-child(2)") == [float(row["r"]) for row in reversed(by_day)]
    assert values(browser, "#funnel td:nth-child(2)") == [200, 150, 80, 40, 30]
    assert values(browser, "#segments td:nth-child(3)") == [730.0, 20.5]
    assert values(browser, "#quality td:nth-child(2)") == [97.5, 100.0]
    assert values(browser, "#quarantine td:nth-child(3)") == [2, 1]
    assert values(browser, "#tables tbody") == [4, 3, 0, 1]


def test_names_do_nothing_but_be_read(browser: Page, page: Path, query: Query) -> None:
    browser.open(page, 1280, DRAWN)
    assert texts(browser, "#category tbody th")[0] == HOSTILE
    assert HOSTILE in texts(browser, "#stock tbody th")[0]
    assert texts(browser, "#quarantine code") == ["25", HOSTILE]
    assert HOSTILE in texts(browser, "li")[0]
    assert HOSTILE in texts(browser, "[data-figure=sales-by-category] .ytick text")
    assert browser.evaluate("document.querySelectorAll('b').length") == 0
    # Its own three and plotly.js; the charts' figures are data.
    assert browser.evaluate("document.querySelectorAll('script:not([type])').length") == 2


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_nothing_is_wider_than_the_screen(browser: Page, page: Path, query: Query, width: int) -> None:
    browser.open(page, width, DRAWN)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    chart, card = browser.evaluate(
        "(chart => [chart, chart.closest('section')].map(e => e.getBoundingClientRect().width))"
        "(document.querySelector('[data-figure=sales-by-day] .main-svg'))"
    )
    assert 0.8 * card < chart < card


def test_the_browser_notices_what_a_page_should_not_do(browser: Page, folder: Path) -> None:
    bad = folder / "bad.html"
    bad.write_text(
        "<img src='http://tracker.example/1.gif'><script>document.title = 'ready'; nobody()</script>"
    )
    browser.open(bad, 390, "document.title === 'ready' && document.readyState === 'complete'")
    assert "http://tracker.example/1.gif" in browser.requests
    assert any("nobody is not defined" in complaint for complaint in browser.complaints)


def test_an_empty_shop_has_a_page_too(browser: Page, folder: Path) -> None:
    write_pages(finished(ds=days_ago(400)), *here(), marts())
    browser.open(folder / "reports" / f"{days_ago(400)}.html", 390, DRAWN)
    assert browser.complaints == []
    assert texts(browser, "#stock p") == ["No inventory events yet."]
    assert texts(browser, "#revenue") == ["0"]
    assert values(browser, "#average_order") == []
