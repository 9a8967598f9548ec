"""The words of the figures: one definition, in the semantic layer, on every page that people read."""

import re
from decimal import Decimal
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from blocks.settings.settings import Settings
from tasks import words as module
from tasks.report.daily_report import write_pages
from tasks.report.models import FIGURES, Day
from tasks.report.queries import STEPS
from tasks.report.run_summary import message
from tasks.words import words
from tests.support.platforms import here
from tests.support.report_marts import finished, shop
from tests.support.rows import DAY

# Metrics that the page shows, besides the day's figures.
SHOWN = {"total_sessions", "purchase_sessions", "on_hand", "days_of_cover", "units_per_day"}


def headings(page: str) -> list[tuple[str, str]]:
    """The (label, description) of each heading of a figure on the report."""
    found = re.findall(r'<(?:h3|th scope="col" class="n") title="([^"]+)">(?:<a [^>]+>)?([^<]+)<', page)
    return [(unescape(label), unescape(description)) for description, label in found]


@pytest.fixture
def page(folder: Path) -> str:
    address, _ = write_pages(finished(), *here(), shop())
    return Path(address.removeprefix("file://")).read_text(encoding="utf-8")


def test_they_are_those_that_dbt_reads(manifest: dict[str, Any]) -> None:
    parsed = {
        node["name"]: (node["label"], " ".join(node["description"].split()), node["config"]["meta"]["format"])
        for node in manifest["metrics"].values()
    }
    assert {name: (each.label, each.description, each.format) for name, each in words().items()} == parsed
    assert len(parsed) >= 20


def test_every_figure_of_the_report_is_headed_by_its_metric_s_words(page: str) -> None:
    shown = {*FIGURES.values(), *(SHOWN - {"purchase_sessions"})}
    assert set(headings(page)) == {(words()[name].label, words()[name].description) for name in shown}
    assert list(STEPS.values()) == [
        "Sessions",
        "Sessions that viewed a product",
        "Sessions that filled a cart",
        "Sessions that went to checkout",
        "Sessions that bought",
    ]


def test_no_page_has_words_of_its_own(page: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Renamed in the semantic layer, a figure bears its old name nowhere."""
    renamed = {name: each.model_copy(update={"label": f"Renamed {name}"}) for name, each in words().items()}
    monkeypatch.setattr("tasks.report.daily_report.words", lambda: renamed)
    monkeypatch.setattr("tasks.report.models.words", lambda: renamed)
    address, figures = write_pages(finished(), *here(), shop())
    text = Path(address.removeprefix("file://")).read_text(encoding="utf-8")
    assert {label for label, _ in headings(text)} == {
        f"Renamed {name}" for name in {*FIGURES.values(), *(SHOWN - {"purchase_sessions"})}
    }
    assert list(figures) == [f"Renamed {name}" for name in FIGURES.values()]
    for name in ("total_revenue", "avg_order_value", "profit_margin"):
        assert f">{words()[name].label}<" not in text
        assert f"{words()[name].label} by" not in text


def test_the_message_says_the_day_s_figures_by_their_labels(folder: Path) -> None:
    _, figures = write_pages(finished(), *here(), shop())
    assert figures == {
        "Revenue": "120.50",
        "Orders": "3",
        "Average order value": "40.17",
        "Customers": "2",
        "Profit margin": "25.0 %",
        "Conversion": "15.0 %",
    }
    text = message(finished(duration_seconds=1, figures=figures), Settings())
    assert "| Revenue | Orders | Average order value | Customers | Profit margin | Conversion |\n" in text
    assert "| 120.50 | 3 | 40.17 | 2 | 25.0 % | 15.0 % |" in text
    assert "Revenue" not in message(finished(duration_seconds=1), Settings())


def test_a_day_without_orders_has_no_quotients() -> None:
    headline = Day(date=DAY, sessions=Decimal(0)).headline
    assert (headline["Revenue"], headline["Average order value"], headline["Conversion"]) == (
        "0.00",
        "-",
        "-",
    )


def test_the_words_need_neither_dbt_nor_the_extra() -> None:
    source = Path(module.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r"^(?:import|from) (\w+)", source, re.MULTILINE)) <= {
        *("functools", "typing", "yaml", "pydantic", "blocks")
    }
