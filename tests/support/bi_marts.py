"""Marts of the small shop, and MetricFlow on them as a person would ask it."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager

from tests.support.dbt_shop import AS_OF, CHANGES, PROJECT, SILVER, Shop


def build_marts(folder: Path) -> Shop:
    """Build the marts in a folder, without their tests; dbt leaves its target there."""
    shop = Shop(folder / "warehouse.duckdb")
    shop.sql(SILVER + CHANGES)
    with pytest.MonkeyPatch.context() as environment:
        for name, value in _environment(shop).items():
            environment.setenv(name, value)
        shop.dbt("build", "--exclude-resource-types", "test", "unit_test")
    # Its adapter keeps the file open for the process's life.
    DuckDBConnectionManager.close_all_connections()
    return shop


def ask_metricflow(shop: Shop, names: list[str], group_by: str) -> list[dict[str, str]]:
    """The answer of `mf query`, a dict per row; nothing is an empty text."""
    folder = shop.path.parent
    for file in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(PROJECT / file, folder)
    arguments = ["query", "--metrics", ",".join(names), "--group-by", group_by, "--csv", "answer.csv"]
    done = subprocess.run(
        [Path(sys.executable).with_name("mf"), *arguments],
        cwd=folder,
        env=os.environ | _environment(shop),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with (folder / "answer.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _environment(shop: Shop) -> dict[str, str]:
    return {
        "WAREHOUSE": "duckdb",
        "DUCKDB_PATH": str(shop.path),
        "DBT_AS_OF": AS_OF,
        "DBT_TARGET_PATH": str(shop.path.parent / "target"),
        "DBT_LOG_PATH": str(shop.path.parent / "logs"),
    }
