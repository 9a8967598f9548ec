"""The histories of the law: what the shop and the operators do, in any order.

A day is *owed* when something happened that only a run of that very day can put right: its run crashed, or click
files were added to it. The law holds whenever nothing is owed.
"""

import itertools
import sys
from typing import ClassVar
from zoneinfo import ZoneInfo

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from blocks.settings.failures import DataFailure
from lake.row_counts import RowCounts
from tasks.ingest.decisions import Decisions
from tests.properties.changes import CHANGES, CLICKS, FILES, MISHAPS, UNSEEN, Change, Click, Mishap
from tests.properties.crash import Crashed, Seam, crashing
from tests.properties.model import KEY, ShopModel
from tests.properties.shop import Shop
from tests.support.platforms import Platform

ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "Pacific/Auckland"]
SOME_CHANGES = st.lists(CHANGES, min_size=1, max_size=5)
SOME_CLICKS = st.lists(CLICKS, min_size=1, max_size=4)
DAYS_BACK = st.integers(0, 2)


class History(RuleBasedStateMachine):
    """One history. A subclass says what a run is and what must hold afterwards."""

    runs_at_most: ClassVar[int] = 3
    seams: ClassVar[list[Seam]]
    """Where a run of this level can crash."""
    places: ClassVar[int]
    """About how many places a run passes, counting before and after each call of a seam."""

    def __init__(self, platform: Platform, model: ShopModel) -> None:
        super().__init__()
        self.platform, self.model = platform, model
        self.last = -1
        """The newest business day that a run was tried for; -1 before the first."""
        self.owed: set[int] = set()
        self.runs = 0
        self.covered: dict[str, int] = {}
        """The newest day up to which each table was extracted."""
        self.is_edited = False
        """Whether a row was edited without a trace since the last run that read everything again."""
        self.published: list[RowCounts] = []
        self.has_crashed = False

    # What a level adds.

    def run_day(self, day: int, decisions: Decisions) -> list[RowCounts]:
        """Do a run, and report to `saw` what it extracted; returns what it did to silver."""
        raise NotImplementedError

    def saw(self, day: int, name: str, is_complete: bool) -> None:
        """A run for `day` has brought what it could see of a source into bronze, or a part if it crashed."""
        if name == "clickstream":
            self.shop.saw_clicks(day)
            return
        bronze = self.platform.lake.table(f"bronze.{name}")
        self.shop.saw_table(name, bronze.to_pyarrow_table().to_pylist() if bronze else [])
        if is_complete:
            self.covered[name] = max(day, self.covered.get(name, day))
            until = self.shop.begin(self.covered[name] + 1)
            self.model.rows("update law.state set until = %s", (until,))
            unseen = self.shop.unseen(name)
            assert not unseen, f"an extract of {name} has not seen {unseen}"

    def check_always(self) -> None:
        """Assert what must hold at any time, after a crash too."""

    def check_law(self) -> None:
        """Assert what must hold when nothing is owed."""
        raise NotImplementedError

    # The shop.

    @initialize(zone=st.sampled_from(ZONES), changes=SOME_CHANGES)
    def open_shop(self, zone: str, changes: list[Change]) -> None:
        """A shop in a time zone, with rows that were there before the first run."""
        self.shop = Shop(self.model, self.platform.clickstream, ZoneInfo(zone))
        self.start(zone)
        self.shop_works(changes, 0)

    def start(self, zone: str) -> None:
        """Empty the lake, and whatever else a level has, for a new history."""
        raise NotImplementedError

    @rule(changes=SOME_CHANGES, days_on=st.sampled_from([0, 0, 0, 1]))
    def shop_works(self, changes: list[Change], days_on: int) -> None:
        """Rows are inserted and updated on the day that runs next, or on the day after it."""
        for change in changes:
            self.shop.change(change, self.last + 1 + days_on)

    @precondition(lambda self: self.last >= 0)
    @rule(changes=SOME_CHANGES)
    def commit_late(self, changes: list[Change]) -> None:
        """Long transactions of the last day commit after its run: the next one sees them in its overlap."""
        for change in changes:
            self.shop.commit_late(change, self.last)

    @precondition(lambda self: self.last >= 0)
    @rule(changes=SOME_CHANGES, days_back=DAYS_BACK)
    def find_forgotten_rows(self, changes: list[Change], days_back: int) -> None:
        """Rows of a past day turn up later than any overlap: whichever run comes next finds them."""
        for change in changes:
            self.shop.change(change, max(self.last - days_back, 0))

    @rule(mishaps=st.lists(MISHAPS, min_size=1, max_size=3))
    def mishaps_befall(self, mishaps: list[Mishap]) -> None:
        """Rows are deleted, come back, change their key or are edited, and no cursor moves."""
        for mishap in mishaps:
            self.is_edited |= self.shop.suffer(mishap)

    @rule(change=CHANGES, stamp=st.sampled_from(UNSEEN))
    def write_unseen(self, change: Change, stamp: str | None) -> None:
        """A row is written with a cursor that no window sees."""
        self.shop.change_unseen(change, stamp)

    @rule(clicks=SOME_CLICKS, file=FILES, days_back=st.sampled_from([0, 0, -1, 1, 2]), cut=st.booleans())
    def log_clicks(self, clicks: list[Click], file: str, days_back: int, cut: bool) -> None:
        """A click file appears or grows: of the next day or the one after, or late for an old one."""
        day = max(self.last + 1 - days_back, 0)
        self.shop.click(file, clicks, day, cut)
        if day <= self.last:
            self.owed.add(day)

    # The operators.

    @precondition(lambda self: self.runs < self.runs_at_most)
    @rule(changes=SOME_CHANGES, days_on=st.sampled_from([0, 0, 1, 2]), crash=st.data())
    def run_next(self, changes: list[Change], days_on: int, crash: st.DataObject) -> None:
        """A day's work and the morning's run, perhaps with days skipped between, perhaps not to its end."""
        self.shop_works(changes, 0)
        self._run(self.last + 1 + days_on, self._drawn(crash))

    @precondition(lambda self: self.last >= 0 and self.runs < self.runs_at_most)
    @rule(days_back=DAYS_BACK, crash=st.data())
    def run_again(self, days_back: int, crash: st.DataObject) -> None:
        """A re-run or backfill of a day that is owed, or of any covered day."""
        days = sorted(self.owed) or range(self.last + 1)
        self._run(days[-1 - days_back % len(days)], self._drawn(crash))

    def teardown(self) -> None:
        """Pay what is owed, oldest day first, do two runs at the least, and hold the law at the end.

        Rows that were deleted and noticed come back from a backup, as they were, before the last run.
        """
        if sys.exception() or not hasattr(self, "shop"):  # it has failed already, or never began
            return
        for day in sorted(self.owed):
            self._run(day, None)
        self._run(self.last + 1, None)
        if self.shop.restore() or self.runs < 2:
            self._run(self.last, None)
        assert not self.owed, f"days {self.owed} could not be run"
        self.check_end()

    def check_end(self) -> None:
        """Assert what is too dear to assert after each run."""

    def _drawn(self, data: st.DataObject) -> int | None:
        return data.draw(st.none() | st.integers(1, self.places), label="crash at place")

    def _run(self, day: int, crash: int | None) -> None:
        self.runs += 1
        places = itertools.count(1)
        # The server counts a session's changes a second later, at most ten, unless it is told to do it now.
        self.model.rows("select pg_stat_force_next_flush()")
        # Edits that leave no trace are found by people, or by the totals; then somebody reads the tables again.
        decisions = Decisions(reread=tuple(KEY) if self.is_edited else ())
        # A run that crashed may have noticed already what is gone.
        must_stop = [] if self.owed else self.shop.mass_deletes()
        has_stopped = False
        try:
            with crashing(self.seams, lambda _: next(places) == crash):
                try:
                    self.published += self.run_day(day, decisions)
                except DataFailure as failure:
                    if "--accept-deletes" not in str(failure):
                        raise
                    has_stopped = True
                    accepted = decisions.model_copy(update={"accept_deletes": tuple(KEY)})
                    self.published += self.run_day(day, accepted)
        except Crashed as crashed:
            note(f"the run crashed {crashed}")
            self.has_crashed = True
            self.owed.add(day)
        else:
            assert has_stopped or not must_stop, f"a mass of rows is gone from {must_stop}: no run stopped"
            self.owed.discard(day)
            self.is_edited = False
        self.last = max(self.last, day)
        self.check_always()
        if not self.owed:
            self.check_law()
