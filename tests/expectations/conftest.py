"""Judging hand-made rows with the pipeline's own gate, on Sail."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from expectations.suite import Suite, Thresholds
from lake.delta import Lake
from tasks.quality import validation as quality
from tests.support.rows import DAY

USUAL = Thresholds(0.05)
Judge = Callable[..., list[quality.QualityResult]]


@pytest.fixture
def judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Judge:
    """A function (suite, rows, schema, thresholds) that writes `checked.<suite>` and runs the suite on it."""
    lake = Lake(tmp_path.as_uri())
    monkeypatch.setenv("LAKE_URI", lake.root)
    monkeypatch.setenv("SPARK_REMOTE", "")

    def judged(
        suite: Suite, rows: list[dict[str, Any]], schema: pa.Schema, thresholds: Thresholds = USUAL
    ) -> list[quality.QualityResult]:
        table = pa.Table.from_pylist(rows, schema=schema)
        write_deltalake(lake.uri(f"checked.{suite.name}"), table, mode="overwrite")
        return quality._judge("bronze", suite, thresholds, DAY, "run", quality._rows(f"checked.{suite.name}"))

    return judged
