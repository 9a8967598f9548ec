"""The law, source to gold: after any history the published marts equal SQL over the source, to the cent."""

import os
import shutil
from functools import partial

import duckdb
import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from lake.row_counts import RowCounts
from tasks.ingest.decisions import Decisions
from tests.properties.compare import assert_same, warehouse_rows
from tests.properties.crash import MART_SEAMS
from tests.properties.history import History
from tests.properties.model import MARTS, OPEN_QUARANTINE, ShopModel
from tests.properties.runs import daily_run
from tests.support.platforms import Platform

STEPS = 6
# A run with dbt takes three times one without: half of the histories that the lake gets.
SHARE = 2


class MartHistory(History):
    """Histories of the whole daily run, with dbt, the gate on totals and the published warehouse."""

    seams = MART_SEAMS
    places = 80

    def start(self, zone: str) -> None:
        shutil.rmtree(self.platform.folder / "lake", ignore_errors=True)
        self.platform.warehouse.unlink(missing_ok=True)
        os.environ["SHOP_TIMEZONE"] = zone

    def run_day(self, day: int, decisions: Decisions) -> list[RowCounts]:
        return daily_run(self.shop.date(day), partial(self.saw, day), decisions)

    def check_always(self) -> None:
        """However a run ended, it leaves no copy of the warehouse behind."""
        left = [path.name for path in self.platform.folder.glob(".*staged*")]
        assert not left, left

    def check_law(self) -> None:
        self.shop.stand_at(self.last)
        with duckdb.connect(self.platform.warehouse, read_only=True) as connection:
            for mart, (columns, query) in MARTS.items():
                actual = warehouse_rows(connection, f"select {columns} from gold.{mart}")
                assert_same(f"gold.{mart}", actual, self.model.rows(query))
            actual = warehouse_rows(
                connection,
                "select source, key, reason, occurred_at from quarantine.open_rows"
                " where source <> 'clickstream'",
            )
            assert_same("quarantine.open_rows", actual, self.model.rows(OPEN_QUARANTINE))


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_marts_equal_the_source_after_any_history(law_platform: Platform, model: ShopModel) -> None:
    histories = settings.default.max_examples // SHARE
    run_state_machine_as_test(
        partial(MartHistory, law_platform, model),
        settings=settings(max_examples=histories, stateful_step_count=STEPS),
    )
