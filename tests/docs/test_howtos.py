"""Every how-to page, carried out step by step on the demo's shop: what it says is what happens."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY
from demo.__main__ import FIRST_DAY, next_days
from demo.shop.shop import Shop
from tests.support.howto import copy_repository, read_steps
from tests.support.platforms import empty_database
from tests.support.variables import VARIABLES

PAGES = sorted((REPOSITORY / "docs" / "howto").glob("*.md"))


@pytest.fixture
def repository(postgres: str, tmp_path: Path) -> Iterator[Path]:
    """A clone in which the demo's shop has played its first days, and no run has been made yet."""
    clone = copy_repository(tmp_path / "clone")
    with empty_database(postgres, tables=False) as dsn:
        shop = Shop(dsn, clone / "data" / "clickstream")
        shop.open(FIRST_DAY)
        for day in next_days(shop):
            shop.play(day)
        (clone / "data" / "demo.env").write_text(f"SHOP_DSN={dsn}\n")
        yield clone


@pytest.fixture
def environment(repository: Path) -> dict[str, str]:
    """That of a person who has set nothing, at a wide screen."""
    own = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    prefect = {"PREFECT_HOME": str(repository / "data" / "prefect"), "PREFECT_PROFILE": "ephemeral"}
    return own | prefect | {"COLUMNS": "120", "RETRY_DELAY_SECONDS": "0"}


def test_there_are_pages() -> None:
    assert len(PAGES) >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_can_be_carried_out(page: Path, tmp_path: Path) -> None:
    """Without its commands, which take minutes: it has some, and what it writes and changes finds its place."""
    steps = read_steps(page)
    assert any(step.language == "console" for step in steps)
    clone = copy_repository(tmp_path / "clone")
    for step in steps:
        if step.language != "console":
            step.perform(clone, {})


@pytest.mark.nightly
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, repository: Path, environment: dict[str, str]) -> None:
    for step in read_steps(page):
        step.perform(repository, environment)
