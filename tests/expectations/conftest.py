"""Validation of hand-made rows with the pipeline's own gate, on Sail; of contracts with datacontract-cli."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from expectations.suite import Suite, Thresholds
from tasks.ledger.quality_result import QualityResult
from tasks.quality import validation
from tests.support.datacontract import DataContractCli, DataContractUnavailable, install
from tests.support.platforms import here
from tests.support.rows import DAY

USUAL = Thresholds(0.05)
Validate = Callable[..., list[QualityResult]]


@pytest.fixture
def validate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Validate:
    """A function (suite, rows, schema, thresholds) that writes `flagged.<suite>` and runs the suite on it."""
    monkeypatch.setenv("LAKE_URI", tmp_path.as_uri())
    monkeypatch.setenv("SPARK_REMOTE", "")
    settings, lake = here()

    def validated(
        suite: Suite, rows: list[dict[str, Any]], schema: pa.Schema, thresholds: Thresholds = USUAL
    ) -> list[QualityResult]:
        name = f"flagged.{suite.name}"
        write_deltalake(lake.uri(name), pa.Table.from_pylist(rows, schema=schema), mode="overwrite")
        found = validation._rows(settings, lake, name)
        return validation._validate(lake, "bronze", suite, thresholds, DAY, "run", found)

    return validated


@pytest.fixture(scope="session")
def datacontract_program() -> Path:
    """The program of datacontract-cli, installed when first asked for."""
    try:
        return install()
    except DataContractUnavailable as failure:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(failure))


@pytest.fixture
def datacontract(datacontract_program: Path, tmp_path_factory: pytest.TempPathFactory) -> DataContractCli:
    """The tool, with a folder of its own."""
    return DataContractCli(datacontract_program, tmp_path_factory.mktemp("datacontract"))
