"""Fixtures of the warehouse's and the report's tests."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blocks.settings.settings import Settings
from demo.services.browser import CHROMIUM, Page, open_browser
from tasks.bi.manifest import compile_project
from tasks.lineage.graph import Lineage
from tasks.lineage.trace import trace
from tasks.warehouse.access import staged_warehouse
from tests.support.platforms import Platform
from tests.support.rows import customer, order, product
from tests.support.silver_tables import Silver, event


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI has no chromium to look at the page with: apt-get install chromium")
        pytest.skip("no chromium here to look at the page with")
    with open_browser(tmp_path_factory.mktemp("chromium")) as page:
        yield page


@pytest.fixture
def silver(platform: Platform) -> Silver:
    made = Silver(platform)
    made.append("silver.orders", order(1), order(2))
    made.append("silver.customers", customer(1))
    made.append("silver.products", product(1))
    made.append("silver.clickstream", event("a"), event("b"))
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where lake, warehouse and reports of a test are that needs no shop."""
    monkeypatch.setenv("LAKE_URI", (tmp_path / "lake").as_uri())
    monkeypatch.setenv("DUCKDB_PATH", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("REPORT_DIR", str(tmp_path / "reports"))
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    return tmp_path


@pytest.fixture
def staged(platform: Platform) -> Iterator[Path]:
    with staged_warehouse(Settings()) as made:
        yield made.path


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    """The compiled project, once for all tests."""
    return compile_project()


@pytest.fixture(scope="session")
def lineage(manifest: dict[str, Any]) -> Lineage:
    return trace(None, manifest=manifest)
