"""The plan of a replay: which rows pass, which are replaced, which wait, and what is read again."""

import datetime as dt
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from blocks.settings.failures import PermanentFailure
from lake.quarantine import RULE, SOURCE
from tasks.ingest.extract_window import previous_business_date
from tasks.replay.plan import WAITING, Count, _newest_day, plan_replay
from tasks.replay.screen import show
from tasks.replay.selection import Selection
from tests.support.contracts import changed_columns
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY, at, order, put
from tests.tasks.replay.conftest import run

ORDERS = Selection(table="orders")


def counts(selection: Selection = ORDERS) -> dict[str, str]:
    """Reason -> fix; each has one row."""
    plan = plan_replay(selection, "", *here())
    assert all(each.rows == 1 for each in plan.counts)
    return {each.reason: each.fix for each in plan.counts}


def test_rows_wait_until_a_rule_or_the_source_has_changed(quarantined: Platform) -> None:
    plan = plan_replay(ORDERS, "", *here())
    assert plan.counts == [
        Count(DAY, "amount_in_range", WAITING, 1),
        Count(DAY, "amount_readable", WAITING, 1),
        Count(DAY, "quantity_in_range", WAITING, 1),
        Count(DAY, "status_known", WAITING, 1),
    ]
    assert plan.ds == DAY
    assert plan.days == [DAY]
    [rows] = plan.reread.reread
    table, _, keys = rows.partition(":order_id=")
    assert (table, sorted(keys.split(","))) == ("orders", ["41", "42", "43", "44"])

    put(quarantined, "orders", order(42, status="shipped", updated_at=at(NEXT_DAY)))
    quarantined.execute("delete from orders where order_id = 44")
    run(NEXT_DAY)
    with changed_columns("orders", "quantity", logicalTypeOptions={"minimum": 0, "maximum": 100}):
        assert counts() == {
            "amount_in_range": WAITING,
            "amount_readable": SOURCE,
            "quantity_in_range": RULE,
            "status_known": SOURCE,
        }
        console = Console(file=StringIO(), width=100)
        show(plan_replay(ORDERS, "", *here()), console)
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert "2024-03-04  quantity_in_range     1  passes the rules now" in text
        assert "3 of 4 rows will leave quarantine.orders." in text
        assert "has corrected the 1 that wait." in text


def test_a_version_with_a_newer_one_in_quarantine_waits_for_that(quarantined: Platform) -> None:
    """Would it pass and be read as of now, the newer one would look replaced."""
    put(quarantined, "orders", order(43, amount=Decimal(0), updated_at=at(NEXT_DAY)))
    run(NEXT_DAY)
    with changed_columns("orders", "quantity", logicalTypeOptions={"minimum": 0, "maximum": 100}):
        assert counts(Selection(table="orders", reasons=("quantity_in_range",))) == {
            "quantity_in_range": WAITING
        }


def test_of_clicks_the_selected_folders_are_listed_again(quarantined: Platform) -> None:
    run(NEXT_DAY)
    plan = plan_replay(Selection(table="clickstream"), "", *here())
    assert plan.days == [DAY, NEXT_DAY]
    assert plan.reread.reread == ()


def test_without_a_mark_the_newest_day_is_one_that_is_over(platform: Platform) -> None:
    """As after a restore of every table from the source that was stopped."""
    now = dt.datetime.now(dt.UTC)
    assert _newest_day(*here()) in {previous_business_date(moment, dt.UTC) for moment in (now, now)}


def test_a_selection_is_by_reason_and_day(quarantined: Platform) -> None:
    assert counts(Selection(table="orders", reasons=("status_known",), days=(DAY,))) == {
        "status_known": WAITING
    }


def test_a_selection_of_nothing_says_what_there_is(quarantined: Platform) -> None:
    for selection, says in [
        (Selection(table="inventory"), "there is no such table; there are customers"),
        (
            Selection(table="orders", reasons=("x",)),
            "--reason x: quarantine.orders has no such row; it has amount_in_range, amount_readable",
        ),
        (
            Selection(table="orders", days=(dt.date(2024, 1, 1),)),
            "--day 2024-01-01: quarantine.orders has no such row; it has 2024-03-04",
        ),
    ]:
        with pytest.raises(PermanentFailure, match=says):
            plan_replay(selection, "", *here())
