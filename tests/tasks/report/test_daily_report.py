"""Writing the report: where, what of it is newest, and that a run never fails for the lack of it."""

import datetime as dt
import logging
import os
import re
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from blocks.settings import environment
from blocks.settings.settings import Settings
from tasks.alerts.run_alert import alert_about
from tasks.ledger.interventions import record_decision
from tasks.monitoring.on_call import snooze
from tasks.report import charts as report_charts
from tasks.report.daily_report import remove_old_reports, write_pages, write_report
from tasks.report.models import Share
from tasks.report.run_summary import message
from tests.support.platforms import here
from tests.support.report_marts import HOSTILE, days_ago, finished, shop
from tests.support.rows import DAY, NEXT_DAY


@pytest.fixture
def reports(folder: Path) -> Path:
    return folder / "reports"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_page_per_day_and_the_newest_as_latest(reports: Path) -> None:
    query = shop()
    for day, latest in ((DAY, DAY), (NEXT_DAY, NEXT_DAY), (days_ago(3), NEXT_DAY)):
        assert write_pages(finished(ds=day), *here(), query)[0] == (reports / f"{day}.html").as_uri()
        page = (reports / f"{day}.html").read_text(encoding="utf-8")
        assert f"<title>The shop on {day}</title>" in page
        assert f"<title>The shop on {latest}</title>" in (reports / "latest.html").read_text(encoding="utf-8")
    # And no half pages.
    assert names(reports) == [f"{days_ago(3)}.html", f"{DAY}.html", f"{NEXT_DAY}.html", "latest.html"]


def test_pages_that_were_written_long_ago_are_removed(folder: Path, reports: Path) -> None:
    assert remove_old_reports.fn(Settings()) == 0
    write_pages(finished(), *here(), shop())
    old, rewritten = reports / f"{days_ago(400)}.html", reports / f"{days_ago(399)}.html"
    for page in (old, rewritten, reports / "latest.html"):
        page.write_text("long ago")
    a_year_ago = time.time() - 365 * 86_400
    for page in (old, reports / "latest.html"):
        os.utime(page, (a_year_ago, a_year_ago))
    assert remove_old_reports.fn(Settings()) == 1
    assert names(reports) == [rewritten.name, f"{DAY}.html", "latest.html"]


def test_where_a_web_server_shows_the_folder_people_are_sent_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPORT_URL", "https://reports.example/shop/")
    assert write_pages(finished(), *here(), shop())[0] == f"https://reports.example/shop/{DAY}.html"


@pytest.mark.parametrize("url", ["", "https://reports.example/shop/"])
def test_another_platform_has_a_folder_of_its_own(
    folder: Path, reports: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("REPORT_URL", url)
    # Blocks of its own would be needed, and are not what is tested.
    monkeypatch.setattr(environment, "PlatformName", lambda: SimpleNamespace(platform="staging"))
    root = url or f"{reports.as_uri()}/"
    assert write_pages(finished(), *here(), shop())[0] == f"{root}staging/{DAY}.html"
    assert names(reports) == ["staging"]


def test_what_people_have_decided_is_on_the_page_and_in_the_summary(reports: Path) -> None:
    query = shop()
    page = reports / "latest.html"
    write_pages(finished(), *here(), query)
    assert "What people have decided" not in page.read_text(encoding="utf-8")
    run = finished()
    record_decision(here()[1], run, "accept that orders fails", "agreed <with> the shop", "ada")
    snooze(here()[1], "low-quality", "3d", "an import", "bob", dt.datetime.now(dt.UTC))
    write_pages(run, *here(), query)
    shown = page.read_text(encoding="utf-8")
    for words in ("accept that orders fails", "agreed &lt;with&gt; the shop", "snooze low-quality", "bob"):
        assert words in shown
    said = message(run.model_copy(update={"duration_seconds": 1}), Settings())
    assert "- accept that orders fails (ada: agreed <with> the shop)" in said


def test_documentation_is_linked_once_it_is_there(reports: Path) -> None:
    query = shop()
    write_pages(finished(), *here(), query)
    assert "docs/dbt.html" not in (reports / "latest.html").read_text(encoding="utf-8")
    assert "models" not in message(finished(duration_seconds=1), Settings())
    (reports / "docs").mkdir()
    (reports / "docs" / "dbt.html").write_text("models")
    write_pages(finished(), *here(), query)
    page = (reports / "latest.html").read_text(encoding="utf-8")
    assert '<a href="docs/dbt.html">' in page
    assert "docs/quality" not in page
    assert f"[models]({(reports / 'docs' / 'dbt.html').as_uri()})" in message(
        finished(duration_seconds=1), Settings()
    )


def test_the_message_and_the_alert_link_the_report(folder: Path) -> None:
    run = finished(duration_seconds=1, status="completed", report_url="https://reports.example/day.html")
    assert "[report](https://reports.example/day.html)" in message(run, Settings())
    assert alert_about(run, *here()).facts["report"] == "https://reports.example/day.html"
    without = finished(duration_seconds=1, status="completed")
    assert "[report]" not in message(without, Settings())
    assert "report" not in alert_about(without, *here()).facts


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize("trouble", ["no marts", "no folder"])
def test_what_cannot_be_written_is_a_warning(
    folder: Path, reports: Path, trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    if trouble == "no folder":
        shop(folder / "warehouse.duckdb")
        reports.write_text("a file where the folder should be")
    with caplog.at_level(logging.WARNING, logger="prefect.task_runs"):
        assert write_report(finished(), *here()) == (None, {})
    assert f"no report for {DAY}: " in caplog.text


@pytest.mark.usefixtures("prefect_server")
def test_what_can_be_written_is_written(folder: Path, reports: Path) -> None:
    shop(folder / "warehouse.duckdb")
    assert write_report(finished(), *here())[0] == (reports / f"{DAY}.html").as_uri()


def test_a_page_asks_for_nothing(reports: Path) -> None:
    """Neither by an address in its markup nor by one that a name smuggles in."""
    write_pages(finished(), *here(), shop())
    page = (reports / "latest.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href|url)\s*[=(]\s*["']?(https?:)?//""", page)
    assert HOSTILE not in page


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, "0"), (987.4, "987"), (9_999, "9,999"), (12_345, "12.3k"), (4_560_000, "4.56M")],
)
def test_figures_in_charts_are_short(value: float, expected: str) -> None:
    figure = report_charts.sales_against_usual([Share(name="a", value=value, usual=None)])
    assert figure.layout.annotations[0].text == expected


def test_names_are_shown_as_they_are_and_not_too_long() -> None:
    long = "Sessions that viewed a product"
    names = ("<b>x</b> & co", long, f"{long} of ours that has {long}", "a" * 60, "a" * 61)
    shares = [Share(name=name, value=1, usual=2) for name in names]
    figure = report_charts.sales_against_usual(shares)
    assert list(figure.layout.yaxis.ticktext) == [
        "&lt;b&gt;x&lt;/b&gt; &amp; co",
        "Sessions that viewed a<br>product",
        "Sessions that viewed a<br>product of ours that…",
        *["a" * 24 + "<br>…"] * 2,
    ]
    # Two names that look alike keep a row each.
    assert list(figure.data[0].y) == [0, 1, 2, 3, 4]
