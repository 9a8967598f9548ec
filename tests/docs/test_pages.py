"""Pages that a reader can follow: every link leads somewhere, every page is listed, pictures are light."""

import re
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
MOST_BYTES = 300_000
MADE = {"data"}


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> list[str]:
    """Where a page leads within the repository."""
    return [link for link in LINK.findall(prose(page)) if "://" not in link]


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def target(page: Path, link: str) -> Path:
    path = link.partition("#")[0]
    return (page.parent / path).resolve() if path else page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        found, name = target(page, link), link.partition("#")[2]
        assert found.exists(), f"{page.name} links {link}"
        assert not name or name in anchors(found), f"{page.name} links {link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    """A path between backticks that begins with a folder of the repository; `data/` is made by runs."""
    named = [Path(path) for path in re.findall(r"`([\w.-]+/[\w./-]+)`", prose(page))]
    ours = [path for path in named if (REPOSITORY / path.parts[0]).is_dir() and path.parts[0] not in MADE]
    assert [str(path) for path in ours if not (REPOSITORY / path).exists()] == []


def test_links_are_found() -> None:
    assert sum(len(links(page)) for page in PAGES) > 60


def test_the_index_lists_every_page() -> None:
    index = DOCS / "index.md"
    listed = {target(index, link) for link in links(index)}
    assert set(PAGES) - {index} <= listed


def test_every_how_to_is_named_where_people_look_for_it() -> None:
    page = REPOSITORY / "CONTRIBUTING.md"
    named = {target(page, link) for link in links(page)}
    assert set((DOCS / "howto").glob("*.md")) <= named


def test_pictures_are_shown_and_light() -> None:
    pictures = sorted((DOCS / "images").iterdir())
    readme = REPOSITORY / "README.md"
    assert set(pictures) == {target(readme, link) for link in links(readme) if link.endswith(".png")}
    for picture in pictures:
        content = picture.read_bytes()
        assert content.startswith(b"\x89PNG")
        assert len(content) < MOST_BYTES, picture.name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_page_speaks_of_what_is_not_here(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "design.md" not in text
    assert not re.search(r"\bseed\b", text)
