"""The lock files: an extra's holds what it needs beyond the first, and nothing that the first has."""

import re
import tomllib

import pytest

from blocks.settings.environment import REPOSITORY

NAME = re.compile(r"^([a-z0-9._-]+)(?:\[.*\])?==", re.MULTILINE)


def locked(file: str) -> set[str]:
    return set(NAME.findall((REPOSITORY / file).read_text(encoding="utf-8")))


def asked(extra: str) -> set[str]:
    """The packages of an extra, as pyproject.toml names them."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return {re.split(r"[<>=\[ ]", package)[0] for package in project["optional-dependencies"][extra]}


@pytest.mark.parametrize("extra", ["bi", "ml"])
def test_an_extra_is_locked_beside_the_rest_and_nothing_twice(extra: str) -> None:
    first, more = locked("requirements.txt"), locked(f"requirements-{extra}.txt")
    assert len(first) > 200
    assert first & more == set()
    assert asked(extra) <= first | more
    assert asked(extra) - first, "an extra that brings nothing"


def test_the_extras_fit_each_other() -> None:
    assert locked("requirements-bi.txt") & locked("requirements-ml.txt") == set()


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-bi.txt", "requirements-ml.txt"])
def test_every_package_has_its_hashes_and_no_registry(file: str) -> None:
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text.strip()))
    assert "://" not in text
