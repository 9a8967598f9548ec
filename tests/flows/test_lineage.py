"""`python -m flows.lineage`, as a person runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY
from tasks.lineage.graph import Lineage


def command(folder: Path, *columns: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.lineage", *columns],
        cwd=REPOSITORY,
        env=os.environ | {"REPORT_DIR": str(folder), "SHOP_QUERIES": ""},
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_it_shows_a_column_and_says_where_the_page_is(tmp_path: Path) -> None:
    done = command(tmp_path, "agg_daily_sales.total_revenue")
    assert (done.returncode, done.stderr) == (0, "")
    first, *between, seen, _, page, file = done.stdout.splitlines()
    assert first == "gold.agg_daily_sales.total_revenue"
    assert between[0] == "└── gold.fct_orders.order_amount"
    assert between[-1].strip() == "└── shop.orders.amount"
    assert seen.startswith("seen in: report.revenue_by_category.before, report.revenue_by_category.value, ")
    assert [page, file] == [str(tmp_path / "docs" / name) for name in ("lineage.html", "lineage.json")]
    lineage = Lineage.model_validate_json(Path(file).read_text(encoding="utf-8"))
    assert len(lineage.datasets) > 40
    nothing = command(tmp_path, "total_revenues")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert nothing.stderr == "error: no column is called total_revenues\n"
