"""What a trouble is called, which are open, and which alerts are told."""

import datetime as dt

import pytest

from blocks.settings.failures import DataFailure, TransientFailure
from tasks.alerts.alert import Alert
from tasks.alerts.run_alert import Known, alert_about
from tasks.alerts.troubles import failure_troubles, is_absence, name_of, note_troubles, open_troubles
from tasks.alerts.verdict import Outcome, judge, record_outcome
from tasks.ledger.overrides import WINDOW, overrides, record_override
from tasks.ledger.records import append_records
from tasks.monitoring.on_call import acknowledge, declare_maintenance, snooze
from tests.support.alerts import alert, ended, warned
from tests.support.ledger_records import run_record
from tests.support.platforms import Platform, here, lake_here
from tests.support.rows import DAY, at

HOUR = dt.timedelta(hours=1)
NOON = at(DAY)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("orders: 3 of 100 rows, e.g. 17, 18: why", "orders: 4 of 1,250 rows, e.g. A-7: why"),
        ("no folder for 2024-03-04", "no folder for 2024-03-05"),
        (
            "run 0190a1b2-11aa-22bb-33cc-444455556666 is gone",
            "run 0190a1b2-99aa-22bb-33cc-444455556667 is gone",
        ),
        ("lost. Go on: `python -m flows.daily 2024-03-04`", "lost. Go on: `python -m flows.rebuild`"),
        ("error after 10 retries in 31.2 s", "error after 3 retries in 9.75 s"),
    ],
)
def test_what_differs_from_run_to_run_makes_no_other_trouble(one: str, other: str) -> None:
    assert name_of(one) == name_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("table orders is missing", "table products is missing"),
        ("TransientFailure: no answer", "PermanentFailure: no answer"),
    ],
)
def test_what_is_another_trouble(one: str, other: str) -> None:
    assert name_of(one) != name_of(other)


def test_a_failure_of_gates_has_a_trouble_for_each() -> None:
    gates = DataFailure(
        "12 of 100 rows; 3 of 9 rows", ("bronze orders: x (mostly=0.95)", "bronze products: y")
    )
    assert failure_troubles(gates) == ["bronze orders: x (mostly=#)", "bronze products: y"]
    assert failure_troubles(TransientFailure("no answer within 30 s")) == [
        "TransientFailure: no answer within # s"
    ]
    assert failure_troubles(KeyboardInterrupt()) == ["stopped from outside"]


def test_absent_data_are_told_from_other_warnings() -> None:
    assert is_absence("clickstream has no folder for 2024-03-04")
    assert is_absence("orders: table row count to be between(min_value=1): 0: the source may have")
    assert not is_absence("orders: table row count to be between(min_value=1): 10: the source may have")
    assert not is_absence("orders.coupon is new")
    run = ended("completed", extracted=warned("orders.coupon is new"))
    assert note_troubles(run) == {"orders.coupon is new": "orders.coupon is new"}


def outcome(given: Alert) -> Outcome:
    """The verdict on an alert by the ledger as it is; on record, as delivery does."""
    known = Known.read(lake_here())
    verdict = judge(given, known.troubles, known.standing(given.at))
    record_outcome(given, lake_here(), verdict.outcome, verdict.override)
    return verdict.outcome


def failing(run: str, hours: float, **values: object) -> Alert:
    given = {
        "alert_id": f"run-failed/{run}",
        "run_id": run,
        "troubles": ["no answer"],
        "at": NOON + hours * HOUR,
    }
    given["period"] = (NOON + hours * HOUR, NOON + hours * HOUR)
    return alert(**given | values)  # type: ignore[arg-type]


def good(run: str, hours: float) -> Alert:
    """What is told of a good run, by the ledger."""
    return alert_about(ended("completed", run_id=run), *here(), at=NOON + hours * HOUR)


def test_a_trouble_is_told_once_until_it_is_over_and_again_if_it_comes_again(platform: Platform) -> None:
    assert outcome(failing("1", 0)) == "told"
    assert outcome(failing("2", 1)) == "repeated"
    # Another flow, the same thing.
    assert outcome(failing("3", 2, flow="inventory")) == "repeated"
    # One more trouble beside it.
    assert outcome(failing("4", 3, troubles=["no answer", "disk full"])) == "told"
    assert outcome(failing("5", 4, severity="critical")) == "told"
    assert outcome(failing("6", 5, severity="critical")) == "repeated"
    [disk, answer] = sorted(open_troubles(lake_here()).values(), key=lambda each: each.name)
    assert (answer.name, answer.runs, answer.told, answer.severity) == ("no answer", 6, 3, "critical")
    assert answer.flows == ["daily", "inventory"]
    assert (disk.name, disk.runs) == ("disk full", 1)

    over = good("7", 6)
    assert (over.kind, over.undoes, set(over.ends)) == (
        "trouble-over",
        "critical",
        {"no answer", "disk full"},
    )
    assert "6 runs of daily, inventory (3 told, 3 not told again or held back)" in over.facts["over"]
    assert outcome(over) == "told"
    assert open_troubles(lake_here()) == {}
    assert good("8", 7).kind == "run-completed"
    assert outcome(failing("9", 8)) == "told"


def test_what_reached_nobody_is_told_again(platform: Platform) -> None:
    record_outcome(failing("1", 0), lake_here(), "undelivered")
    assert outcome(failing("2", 1)) == "told"


def test_a_run_of_another_flow_ends_nothing(platform: Platform) -> None:
    outcome(failing("1", 0, flow="inventory"))
    assert good("2", 1).kind == "run-completed"


def test_a_warning_is_told_once_and_its_end_is_silent(platform: Platform) -> None:
    def warning(run: str, hours: float, *notes: str) -> Alert:
        done = ended("completed", run_id=run, extracted=warned(*notes) if notes else [])
        return alert_about(done, *here(), at=NOON + hours * HOUR)

    assert outcome(warning("1", 0, "orders.coupon is new")) == "told"
    again = warning("2", 1, "orders.coupon is new", "products.weight is new")
    assert again.facts["worth a look"] == "products.weight is new"
    assert again.facts["told before"] == "1 more to look at"
    assert outcome(again) == "told"
    assert outcome(warning("3", 2, "products.weight is new")) == "repeated"
    assert outcome(warning("4", 3)) == "told"
    assert open_troubles(lake_here()) == {}
    assert outcome(warning("5", 4, "products.weight is new")) == "told"


def test_a_snooze_holds_back_what_it_names_until_it_ends_but_nothing_critical(platform: Platform) -> None:
    snooze(lake_here(), "run-failed/daily", "2h", "known", "ada", NOON)
    assert outcome(failing("1", 0)) == "snoozed"
    assert outcome(failing("2", 0.5, flow="inventory", troubles=["another"])) == "told"
    assert outcome(failing("3", 1, kind="run-failed-twice", severity="critical")) == "told"
    assert outcome(failing("4", 2, troubles=["later"])) == "told"


def test_an_acknowledgement_ends_reminders_of_its_trouble_alone(platform: Platform) -> None:
    def short(number: int, hours: float, *products: str) -> Alert:
        return failing(
            str(number), hours, kind="stock-low", flow="inventory", troubles=list(products), may_repeat=True
        )

    assert outcome(short(1, 0, "stock: Mug is low")) == "told"
    assert outcome(short(2, 24, "stock: Mug is low")) == "told"
    [made] = acknowledge(lake_here(), "stock-low", "ordered", "ada", NOON + 25 * HOUR)
    assert (made.subject, made.ends_at) == ("stock: Mug is low", None)
    assert outcome(short(3, 48, "stock: Mug is low")) == "acknowledged"
    assert outcome(short(4, 49, "stock: Pen is low")) == "told"


def test_runs_in_a_window_are_not_told_nor_is_absent_data_of_its_day(platform: Platform) -> None:
    settings, lake = here()
    declare_maintenance(lake, "now", "2h", settings.shop_timezone, "a move", "ada", NOON)
    assert outcome(failing("1", 1)) == "in maintenance"
    # It began within, and ended after.
    late = failing("2", 3).model_copy(update={"period": (NOON + HOUR, NOON + 3 * HOUR)})
    assert outcome(late) == "in maintenance"
    assert outcome(failing("3", 4, flow="inventory", troubles=["another"])) == "told"

    next_morning = ended(
        "completed",
        run_id="4",
        started_at=NOON + 18 * HOUR,
        extracted=warned("clickstream has no folder for x"),
    )
    assert outcome(alert_about(next_morning, settings, lake, at=NOON + 18 * HOUR)) == "in maintenance"
    other = next_morning.model_copy(update={"run_id": "5", "extracted": warned("orders.coupon is new")})
    assert outcome(alert_about(other, settings, lake, at=NOON + 19 * HOUR)) == "told"


def test_a_failure_in_a_window_is_not_the_first_of_two(platform: Platform) -> None:
    settings, lake = here()
    window = declare_maintenance(lake, "now", "2h", settings.shop_timezone, "a move", "ada", NOON)
    record = run_record("a", "failed", started_at=NOON + HOUR, recorded_at=NOON + HOUR)
    append_records(lake, "pipeline_runs", [record])
    after = ended("failed", run_id="b", started_at=NOON + 3 * HOUR, troubles=["no answer"])
    assert alert_about(after, settings, lake, at=NOON + 3 * HOUR).kind == "run-failed"
    # Without the window it is.
    record_override(lake, window.model_copy(update={"ends_at": window.starts_at}))
    assert [each.kind for each in overrides(lake)] == [WINDOW]
    assert alert_about(after, settings, lake, at=NOON + 3 * HOUR).kind == "run-failed-twice"
