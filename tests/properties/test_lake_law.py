"""The law, source to silver: after any history silver, quarantine and the lake's gold follow from the source.

Bronze, and what every run counts, are checked on the way.
"""

import datetime as dt
import os
import shutil
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from lake.row_counts import RowCounts
from tasks.ingest.decisions import Decisions
from tests.properties.compare import assert_same, lake_rows
from tests.properties.crash import LAKE_SEAMS
from tests.properties.history import History
from tests.properties.model import COLUMNS, EVENT_COLUMNS, KEPT, KEY, LAKE_GOLD, ShopModel
from tests.properties.runs import lake_run, rebuild_lake
from tests.support.platforms import Platform

STEPS = 7


class LakeHistory(History):
    """Histories of the lake alone: PostgreSQL, files, Delta and Spark; no engine, no warehouse, no dbt."""

    seams = LAKE_SEAMS
    places = 60

    def start(self, zone: str) -> None:
        shutil.rmtree(self.platform.folder / "lake", ignore_errors=True)
        os.environ["SHOP_TIMEZONE"] = zone

    def run_day(self, day: int, decisions: Decisions) -> list[RowCounts]:
        published = lake_run(self.shop.date(day), partial(self.saw, day), decisions)
        for each in published:
            assert each.rows_in == each.rows_out + each.duplicates + each.quarantined, each
        return published

    def check_always(self) -> None:
        """Bronze holds every line that was ever seen, once, and each delete once.

        `Shop.saw_table` looks after the tables' other rows.
        """
        lines = lake_rows(self.platform.lake, "bronze.clickstream", "source_file, line_number, raw")
        assert_same("bronze.clickstream", lines, self.shop.seen_lines)
        for table, key in KEY.items():
            rows = lake_rows(self.platform.lake, f"bronze.{table}", f"{key}, read_at, deleted_at")
            kept = sorted(row for row in rows if row[0] is not None)
            again = [row for before, row in pairwise(kept) if row[0] == before[0] and row[2] and before[2]]
            assert not again, f"bronze.{table} holds a delete twice: {again}"

    def check_law(self) -> None:
        self.shop.stand_at(self.last)
        self.check_silver("")
        self.check_quarantine("")
        self.check_gold("")
        if not self.has_crashed:
            self.check_sums()

    def check_gold(self, when: str) -> None:
        """The lake's gold equals SQL over the source."""
        for table, query in LAKE_GOLD.items():
            actual = lake_rows(self.platform.lake, f"gold.{table}")
            assert_same(f"the lake's gold.{table}{when}", actual, self.model.rows(query))

    def check_silver(self, when: str) -> None:
        """Silver equals the source as it stands."""
        for table, columns in COLUMNS.items():
            expected = self.model.rows(f"select {columns} from law.{table}")
            assert_same(f"silver.{table}{when}", self.present(table), expected)
        events = lake_rows(self.platform.lake, "silver.clickstream", EVENT_COLUMNS)
        expected = self.model.rows(f"select {EVENT_COLUMNS} from law.events")
        assert_same(f"silver.clickstream{when}", events, expected)

    def present(self, table: str) -> list[tuple]:
        """The rows of silver that readers see, in the contract's columns; marked where the source has lost them."""
        lost = {
            key
            for (key,) in self.model.rows(
                f"select {KEY[table]} from law.{table} as v where not exists"
                f" (select 1 from {table} as s where s.{KEY[table]} = v.{KEY[table]})"
            )
        }
        found = lake_rows(self.platform.lake, f"silver.{table}", f"deleted_at, {COLUMNS[table]}")
        if table in KEPT:
            marked = {row[1] for row in found if row[0]}
            assert marked <= lost, f"silver.{table} marks {marked - lost}, which the source has"
            return [row[1:] for row in found]
        return [row[1:] for row in found if row[0] is None]

    def check_quarantine(self, when: str) -> None:
        """Quarantine holds each rejected version and line once, with its reason and its business day."""
        for table, key in KEY.items():
            local_day = "(occurred_at at time zone (select zone from law.state))::date"
            expected = self.model.rows(
                f"select '{table}', {local_day}, reason, {key}::text, occurred_at from law.rejected_{table}"
            )
            columns = "source, ds, reason, key, occurred_at"
            actual = lake_rows(self.platform.lake, f"quarantine.{table}", columns)
            assert_same(f"quarantine.{table}{when}", actual, expected)
        broken = {
            (dt.date.fromisoformat(name[:10]), f"{name}:{number}", raw)
            for name, number, raw in self.shop.broken_lines()
        }
        actual = lake_rows(self.platform.lake, "quarantine.clickstream", "ds, origin, raw")
        assert_same(f"quarantine.clickstream{when}", actual, broken)

    def check_sums(self) -> None:
        """Over all runs together no row was lost or counted twice (a repeated publish counts again)."""
        for table in [*KEY, "clickstream"]:
            runs = [each for each in self.published if each.table == table]
            held = len(lake_rows(self.platform.lake, f"bronze.{table}"))
            rejected = len(lake_rows(self.platform.lake, f"quarantine.{table}"))
            if table in KEY:
                # A version that comes back is flagged again, and stands in quarantine once.
                [(rejected,)] = self.model.rows(
                    f"select count(*) from law.judged_{table} where reason is not null"
                )
            assert sum(each.rows_in for each in runs) == held, (table, runs)
            assert sum(each.quarantined for each in runs) == rejected, (table, runs)

    def check_end(self) -> None:
        """Bronze alone gives the same again: all of it, or that of the last days."""
        newest = self.shop.date(self.last)
        days = (newest - dt.timedelta(days=1), newest) if self.runs % 2 else None
        rebuild_lake(days)
        when = f" rebuilt from bronze, days {days}"
        self.check_silver(when)
        self.check_quarantine(when)
        self.check_gold(when)
        lake = self.platform.lake
        for table in KEY:
            # Where the next run begins.
            assert lake.progress(f"silver.{table}", "bronze") == lake.table(f"bronze.{table}").version()


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_silver_equals_the_source_after_any_history(law_platform: Platform, model: ShopModel) -> None:
    run_state_machine_as_test(
        partial(LakeHistory, law_platform, model), settings=settings(stateful_step_count=STEPS)
    )
