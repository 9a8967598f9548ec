"""Judging hand-made rows with the pipeline's own gate, on Sail."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from expectations.suite import Norms, Suite
from hand_made import DAY
from tasks import quality

Judge = Callable[..., list[quality.QualityResult]]


@pytest.fixture
def judge(platform: Any) -> Judge:
    """judge(suite, rows, schema, norms=…): write `checked.<suite>` and run the suite on it."""

    def judged(
        suite: Suite, rows: list[dict[str, Any]], schema: pa.Schema, norms: Norms = Norms(0.05)
    ) -> list[quality.QualityResult]:
        table = pa.Table.from_pylist(rows, schema=schema)
        write_deltalake(platform.lake.uri(f"checked.{suite.name}"), table, mode="overwrite")
        return quality._judge("bronze", suite, norms, DAY, "run")

    return judged
