"""The lineage's page and JSON: what is on them, that they are used again, and that a run goes on without them."""

import json
from pathlib import Path

import pytest
from prefect import flow

from blocks.settings.extras import PACKAGES
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import Settings
from demo.services.browser import Page
from tasks.lineage import files
from tasks.lineage.files import read_lineage, write_lineage, write_lineage_files
from tasks.lineage.graph import Lineage, Ref


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("REPORT_DIR", str(tmp_path / "reports"))
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    return Settings()


def test_the_json_is_the_lineage(settings: Settings, lineage: Lineage) -> None:
    page, file = write_lineage_files(settings, lineage)
    assert (page.name, file.name) == ("lineage.html", "lineage.json")
    document = json.loads(file.read_text(encoding="utf-8"))
    [sales] = [each for each in document["datasets"] if each["name"] == "gold.agg_daily_sales"]
    assert sales["columns"]["total_revenue"]["direct"] == [["gold.fct_orders", "order_amount"]]
    assert Lineage.model_validate(document).datasets == lineage.datasets
    assert sorted(each.name for each in page.parent.iterdir()) == ["lineage.html", "lineage.json"]


def test_the_page_asks_the_network_for_nothing(settings: Settings, lineage: Lineage) -> None:
    page, _ = write_lineage_files(settings, lineage)
    text = page.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in text
    assert len(text) < 500_000


def test_the_page_in_a_browser(settings: Settings, lineage: Lineage, browser: Page) -> None:
    """From a file, as people open it: the figures, one figure's way, its filters, and the search."""
    page, _ = write_lineage_files(settings, lineage)
    ask = browser.evaluate
    browser.open(page, 1280, "document.querySelector('#found details') !== null")
    assert ask("[...document.querySelectorAll('#start tbody th')].map(e => e.textContent)") == [
        *("Revenue", "Orders", "Average order value", "Customers", "Profit margin", "Conversion")
    ]
    ask("location.hash = '#report.day.margin_pct'")
    browser.wait("document.querySelector('[aria-current]') !== null")
    assert "products.unit_cost" in ask("document.getElementById('column').textContent")
    assert ask("document.querySelector('[aria-current]').textContent") == "Profit margin"
    shown = "[...document.querySelectorAll('.card a')].map(e => decodeURIComponent(e.hash))"
    assert "#shop.products.unit_cost" in ask(shown)
    assert "#shop.products.category" not in ask(shown)
    ways = ask("document.querySelectorAll('path').length")
    assert ways > 20
    assert ask("document.querySelectorAll('path.indirect').length") == 0
    ask("document.getElementById('indirect').click()")
    assert "#shop.products.product_id" in ask(shown)
    assert ask("document.querySelectorAll('path.indirect').length") > 0
    ask("document.getElementById('search').value = 'unit cost'")
    ask("document.getElementById('search').dispatchEvent(new Event('input'))")
    found = ask("[...document.querySelectorAll('#found a')].map(e => e.hash)")
    assert "#shop.products.unit_cost" in found
    assert len(found) < 30
    assert browser.complaints == []
    assert browser.requests == [page.as_uri()]


def test_the_page_on_a_phone_is_no_wider_than_it(settings: Settings, lineage: Lineage, browser: Page) -> None:
    page, _ = write_lineage_files(settings, lineage)
    place = f"{page.as_uri()}#gold.agg_daily_sales.profit_margin_pct"
    browser.open(place, 390, "document.querySelector('[aria-current]') !== null")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390


def test_of_the_same_project_it_is_not_traced_again(
    settings: Settings, lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    traced: list[str] = []

    def trace_again(settings: Settings) -> Lineage:
        traced.append("again")
        return lineage.model_copy(update={"project": files.project_hash(settings)})

    monkeypatch.setattr(files, "trace_lineage", trace_again)
    write_lineage_files(settings, read_lineage(settings))
    assert read_lineage(settings).column(Ref("report.day", "revenue")).label == "Revenue"
    assert traced == ["again"]
    files.json_file(settings).write_text(lineage.model_dump_json())
    read_lineage(settings)
    assert traced == ["again", "again"]


@flow
def alone(settings: Settings) -> list[Path] | None:
    return write_lineage(settings)


@pytest.mark.usefixtures("prefect_server")
def test_a_run_that_cannot_write_it_says_so_and_goes_on(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(PACKAGES, "bi", ("sqlglot", "not_installed"))
    assert alone(settings) is None
    said = [record.getMessage() for record in caplog.records if "extra" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("no lineage: the extra bi is missing (not_installed); install it: `make bi`")


def test_without_the_extra_it_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "bi", ("not_installed",))
    with pytest.raises(PermanentFailure, match="the extra bi is missing"):
        files.trace_lineage(settings)
