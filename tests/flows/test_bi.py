"""`python -m flows.bi`, as a person runs it."""

import os
import subprocess
import sys
from pathlib import Path

import lkml
import pytest

from blocks.settings.environment import REPOSITORY
from tasks.bi.hyper import query_extract
from tests.support.bi_marts import build_marts


def command(folder: Path, *tools: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.bi", *tools],
        cwd=REPOSITORY,
        env=os.environ
        | {
            "DUCKDB_PATH": str(folder / "warehouse.duckdb"),
            "BI_DIR": str(folder / "bi"),
            "TABLEAU_SERVER_URL": "",
        },
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_it_writes_the_files_of_all_tools_and_says_where(tmp_path: Path) -> None:
    build_marts(tmp_path)
    done = command(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    looker, ossie, tableau, explore = done.stdout.splitlines()
    assert explore.startswith(f"{tmp_path / 'bi' / 'explore'}: 1 files, ")
    assert ossie.startswith(f"{tmp_path / 'bi' / 'ossie'}: 1 files, ")
    assert looker.startswith(f"{tmp_path / 'bi' / 'looker'}: 9 files, ")
    assert tableau.startswith(f"{tmp_path / 'bi' / 'tableau'}: 16 files, ")
    assert all(lkml.load(path.read_text()) for path in (tmp_path / "bi" / "looker").rglob("*.lkml"))
    extract = tmp_path / "bi" / "tableau" / "Data" / "Extracts" / "fct_orders.hyper"
    assert query_extract(extract, 'select count(*) from "Extract"."Extract"') == [(9,)]


def test_without_a_warehouse_it_says_what_to_run_first(tmp_path: Path) -> None:
    done = command(tmp_path, "looker")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: DUCKDB_PATH: {tmp_path / 'warehouse.duckdb'} does not exist; correct it, or run "
        "daily-ecommerce-pipeline first\n"
    )


def test_a_tool_that_is_not_known_is_named(tmp_path: Path) -> None:
    done = command(tmp_path, "powerbi")
    assert done.returncode == 2
    assert "no such tool: powerbi; choose from looker, ossie, tableau, explore" in done.stderr
