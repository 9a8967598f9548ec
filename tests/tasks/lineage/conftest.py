"""The compiled project, once for all tests of the lineage."""

from typing import Any

import pytest

from tasks.bi.manifest import compile_project
from tasks.lineage.graph import Lineage
from tasks.lineage.trace import trace


@pytest.fixture(scope="session")
def manifest() -> dict[str, Any]:
    return compile_project()


@pytest.fixture(scope="session")
def lineage(manifest: dict[str, Any]) -> Lineage:
    return trace(None, manifest=manifest)
