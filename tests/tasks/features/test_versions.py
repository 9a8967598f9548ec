"""Versions go the way of the other Spark jobs; what is in them, the feature law says."""

from pathlib import Path

import pytest
from deltalake import DeltaTable

from lake.delta import Lake
from tasks.features.versions import write_versions
from tests.support.platforms import here
from tests.support.rows import order
from tests.support.spark_tables import write_bronze


@pytest.mark.parametrize(("full", "words"), [(False, []), (True, ["--full"])])
def test_versions_are_submitted_where_jobs_are(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: bool, words: list[str]
) -> None:
    said = tmp_path / "said"
    program = tmp_path / "submit"
    program.write_text(f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {said}\necho '{{}}'\n")
    program.chmod(0o755)
    for name, value in {
        "LAKE_URI": lake.root,
        "SHOP_TIMEZONE": "Asia/Kathmandu",
        "SPARK_SUBMIT": str(program),
        # No session is asked for: this one could not be had.
        "SPARK_REMOTE": "sc://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    write_bronze(lake, "orders", [order(1)])
    write_versions("orders", *here(), full=full)
    job = ["versions", "orders", "--lake", lake.root, "--timezone", "Asia/Kathmandu", *words]
    assert said.read_text().splitlines()[-len(job) :] == job
    assert not DeltaTable.is_deltatable(lake.uri("versions.orders"))
