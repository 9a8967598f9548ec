"""The page that explores the metrics: what is in it, what is not, and its figures in a browser."""

import hashlib
import json
import re
from pathlib import Path

import pytest

from demo.services.browser import Page
from lake.local_sql import connect
from tasks.bi.explore import PAGE, explore_files
from tasks.templates import render
from tasks.warehouse.duckdb import DuckDBSession
from tests.support.bi_layer import LAYER

VENDOR = Path(render.__file__).parent / "vendor"
SALES = """
create schema gold;
create table gold.sales as
select * from (
    values
        (1, date '2024-03-01', 'north', 'Ada', 10.10, 3, true, timestamp '2024-03-01 08:00:00', 1.5),
        (2, date '2024-03-01', 'south', 'Ada', 0.20, 1, false, timestamp '2024-03-01 08:00:00', 1.5),
        (3, date '2024-03-04', 'north', 'Bo', 5.05, 2, true, timestamp '2024-03-01 08:00:00', 1.5),
        (4, null, null, null, null, null, null, null, null)
) as t (sale_id, sale_date, region, customer_name, sale_amount, total_pieces, is_late, updated_at, margin_pct);
"""


def page(most_rows: int = 100) -> str:
    with connect() as connection:
        connection.execute(SALES)
        files = explore_files(DuckDBSession(connection), LAYER, most_rows)
    assert files.keys() == {PAGE}
    return files[PAGE]


def model(text: str) -> dict:
    found = re.search(r'<script type="application/json" id="models">(.*?)</script>', text)
    [only] = json.loads(found[1])
    return only


def test_the_rows_are_those_of_the_mart_without_keys_and_persons() -> None:
    text = page()
    assert "Ada" not in text
    held = model(text)
    assert [each["name"] for each in held["dimensions"]] == ["sale_date", "region", "is_late"]
    region = next(each for each in held["dimensions"] if each["name"] == "region")
    names = [region["values"][code] if code >= 0 else None for code in region["codes"]]
    values = {each["name"]: each.get("values") for each in held["metrics"]}
    rows = list(zip(names, values["total_revenue"], values["total_pieces"], strict=True))
    assert sorted(rows, key=str) == [
        ("north", 10.1, 3),
        ("north", 5.05, 2),
        ("south", 0.2, 1),
        (None, None, None),
    ]
    # Of what is only counted there is a number, which tells it from others.
    assert set(zip(names, values["total_regions"], strict=True)) == {(None, None), ("north", 1), ("south", 2)}
    assert values["piece_share"] is None


@pytest.mark.parametrize(
    ("most_rows", "first", "rows"), [(1, "2024-03-04", 2), (2, "2024-03-04", 2), (4, "2024-03-01", 4)]
)
def test_the_oldest_days_of_too_many_rows_stay_out(most_rows: int, first: str, rows: int) -> None:
    held = model(page(most_rows))
    assert (held["first_day"], held["rows"]) == (first, rows)


def test_the_code_of_others_is_as_it_was_published() -> None:
    table = re.findall(r"^\| ([\w.-]+) \|.*\| (\w{64}) \|$", (VENDOR / "README.md").read_text(), re.MULTILINE)
    files = {path for path in VENDOR.iterdir() if path.suffix in (".js", ".css")}
    assert dict(table) == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    assert sum(path.stat().st_size for path in files) < 1_000_000


def test_the_page_in_a_browser(tmp_path: Path, browser: Page) -> None:
    """From a file, as people open it: by day, by month and region, one of a filter, with the sums below."""
    file = tmp_path / PAGE
    file.write_text(page(), encoding="utf-8")
    ask = browser.evaluate
    browser.open(file, 1280, "document.getElementById('table')?.dataset.shown === '1'")
    shown = (
        "[...document.querySelectorAll('.tabulator-row')].map(row => "
        "[...row.querySelectorAll('.tabulator-cell')].map(cell => cell.textContent.trim()))"
    )
    assert ask(shown) == [
        ["2024-03-04", "5.05", "2", "1", "200%"],
        ["2024-03-01", "10.30", "4", "2", "200%"],
        ["-", "-", "-", "0", "-"],
        ["All", "15.35", "6", "2", "300%"],
    ]
    ask("document.querySelector('input[value=sale_date]').click()")
    ask("document.querySelector('input[value=region]').click()")
    ask("document.querySelector('nav input[value=south]').click()")
    browser.wait("document.getElementById('table')?.dataset.shown === '4'")
    assert ask(shown)[1] == ["north", "15.15", "5", "1", "500%"]
    assert ask(shown)[-1] == ["All", "15.15", "5", "1", "500%"]
    ask("document.getElementById('grain').value = 'month'")
    ask("document.getElementById('grain').dispatchEvent(new Event('change'))")
    ask("document.getElementById('across').value = 'sale_date'")
    ask("document.getElementById('across').dispatchEvent(new Event('change'))")
    browser.wait("document.getElementById('table')?.dataset.shown === '6'")
    titles = "[...document.querySelectorAll('.tabulator-col-title')].map(each => each.textContent)"
    assert ask(titles) == ["Region", "-", "2024-03"]
    assert ask(shown)[1] == ["north", "-", "15.15"]
    assert browser.complaints == []
    assert browser.requests == [file.as_uri()]
    browser.open(file, 390, "document.getElementById('table')?.dataset.shown === '1'")
    assert ask("document.documentElement.scrollWidth") <= 390
