"""A month on call, in one go: recorded runs with twenty troubles, three snoozes and a maintenance window.

The alert layer is driven as runs drive it, with the clock of the runs; Slack and PagerDuty are real receivers.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from prefect import flow

from blocks.settings.failures import DataFailure, PermanentFailure, TransientFailure
from tasks.alerts.delivery import deliver
from tasks.alerts.run_alert import Known, alert_about
from tasks.alerts.troubles import SEVERITIES, failure_troubles, open_troubles
from tasks.inventory.stock_alerts import alerts_about
from tasks.inventory.stock_changes import StockChange
from tasks.ledger.overrides import overrides
from tasks.ledger.queries import DAILY, query_records
from tasks.ledger.records import append_records
from tasks.ledger.run import Run
from tasks.monitoring.on_call import acknowledge, declare_maintenance, snooze
from tasks.quality.trend import report_low_quality
from tests.support.alerts import warned
from tests.support.ledger_records import RULES, run_record
from tests.support.platforms import Platform, here, lake_here
from tests.support.receivers import Webhook

pytestmark = [pytest.mark.usefixtures("prefect_server"), pytest.mark.nightly, pytest.mark.timeout(600)]

# Days on which stock is taken in four times.
OFTEN = (10, 11, 12, 25)
NO_CLICKS = "clickstream has no folder for {ds}"


def when(day: int, hour: float = 0) -> dt.datetime:
    """A moment of March 2024."""
    return dt.datetime(2024, 3, day, tzinfo=dt.UTC) + dt.timedelta(hours=hour)


@dataclass
class Month:
    """The schedule of a month: daily at six, quality at noon, stock at seven; and more often on some days."""

    errors: dict[tuple[str, int, int], Exception] = field(default_factory=dict)
    """What a run fails of, by flow, day and hour."""
    notes: dict[int, list[str]] = field(default_factory=dict)
    """What the daily run of a day says."""
    bad_days: set[int] = field(default_factory=set)
    """Days on which a fifth of the rows was rejected."""

    def runs(self) -> Iterator[tuple[str, dt.datetime]]:
        for day in range(1, 32):
            for hour in (1, 7, 13, 19) if day in OFTEN else (7,):
                if hour == 7:
                    yield DAILY, when(day, 6)
                yield "inventory", when(day, hour)
                if hour == 7:
                    yield "data-quality", when(day, 12)

    def spoil(self, error: Exception, *runs: tuple[str, int, int]) -> None:
        self.errors |= dict.fromkeys(runs, error)


def gate(bad: int, of: int, keys: str) -> DataFailure:
    """What the bronze gate says: counts and keys differ from run to run."""
    return DataFailure(
        f"orders: reject_reason to be null: {bad} of {of} rows, e.g. {keys}: so many rows are rejected. Nothing "
        "downstream ran. To publish all the same, on record: "
        '`python -m flows.daily 2024-03-08 --accept-failed orders --reason "…"`',
        ("bronze orders: reject_reason to be null",),
    )


def the_month() -> Month:
    month = Month()
    database = TransientFailure("the shop's database cannot be reached: connection refused")
    # 1: for one morning. 2: for three.
    month.spoil(database, (DAILY, 2, 6))
    month.spoil(database, (DAILY, 4, 6), (DAILY, 5, 6), (DAILY, 6, 6))
    # 3: one gate, in two flows, with other counts each time.
    month.errors[DAILY, 8, 6] = gate(12, 100, "17, 18, 19")
    month.errors["data-quality", 8, 12] = gate(15, 130, "A-17")
    # 4: Kafka, for two days of stock runs.
    kafka = TransientFailure("Kafka at broker:9092 does not answer within 30 s")
    month.spoil(kafka, *(("inventory", day, hour) for day in (10, 11) for hour in (1, 7, 13, 19)))
    # 5: the store, for everything of a day.
    store = TransientFailure("the lake cannot be read: error after 10 retries in 31.2 s")
    month.spoil(store, (DAILY, 12, 6), ("inventory", 12, 7), ("data-quality", 12, 12), ("inventory", 12, 13))
    # 6: no clicks on a weekend. 7: a new column, for three days. 8: a test of dbt, on one of them.
    month.notes[13] = month.notes[14] = [NO_CLICKS]
    month.notes[15] = month.notes[17] = ["orders.coupon is new"]
    month.errors[DAILY, 16, 6] = DataFailure("dbt tests failed: unique_x (3 rows)", ("dbt x: unique_x",))
    # 9: somebody stops a run; 10: a password expires.
    month.errors["inventory", 18, 7] = PermanentFailure("stopped by hand")
    month.errors[DAILY, 19, 6] = PermanentFailure("the shop's database refuses the password of reader")
    # 11, 12: quality below the limit, twice; the second time somebody knows why.
    month.bad_days = {1, 2, 3, 4, 21, 22, 23, 24, 25, 26}
    # 13, 14: the window, in which stock and quality runs fail. 15: what failed before it, and in it, is critical.
    moved = PermanentFailure("the warehouse is being moved")
    month.spoil(moved, ("inventory", 25, 1), ("inventory", 25, 7), ("data-quality", 25, 12))
    month.errors[DAILY, 24, 6] = month.errors[DAILY, 25, 6] = PermanentFailure("disk full")
    # 16: no clicks on the day of the window. 17: none on a day that had no window, either.
    month.notes[26] = [NO_CLICKS]
    # 18: a warning that was snoozed, and 19: a failure of the same flow meanwhile.
    month.notes[28] = ["products: 40 gaps"]
    month.errors[DAILY, 29, 6] = month.errors[DAILY, 30, 6] = PermanentFailure("table customers is missing")
    return month


def change(kind: str, number: int, state: str, at: dt.datetime) -> StockChange:
    return StockChange(
        alert_id=f"{kind}/{number}",
        run_id=f"inventory-{at:%d-%H}",
        kind=kind,
        product_id=7,
        product_name="Mug",
        state=state,
        on_hand=0,
        units_per_day=2,
        days_of_cover=0,
        reorder_point=20,
    )


def stock(kind: str, number: int, state: str, at: dt.datetime) -> None:
    settings, lake = here()
    for alert in alerts_about([change(kind, number, state, at)], settings, is_all_well=state == "ok"):
        deliver(alert.model_copy(update={"at": at}), settings, lake)


DECISIONS = {
    # Three snoozes, a window, and an acknowledgement, each on the eve of what it is about.
    when(6, 20): lambda lake, at: acknowledge(lake, "stock-out", "ordered", "ada", at),
    when(20, 20): lambda lake, at: snooze(lake, "stock-out", "2d", "the supplier strikes", "ada", at),
    when(22, 20): lambda lake, at: snooze(lake, "low-quality", "3d", "a known import", "bob", at),
    when(24, 23): lambda lake, at: declare_maintenance(
        lake, "now", "14h", here()[0].shop_timezone, "the warehouse moves", "bob", at
    ),
    when(27, 20): lambda lake, at: snooze(lake, f"run-with-warnings/{DAILY}", "5d", "known", "ada", at),
}
STOCK = {
    # 20: a product is out: told, repeated after a day, acknowledged, refilled; out again, while snoozed.
    when(5, 2): ("stock-out", 1, "out"),
    when(6, 2): ("stock-out", 2, "out"),
    when(7, 2): ("stock-out", 3, "out"),
    when(8, 2): ("stock-refilled", 4, "ok"),
    when(21, 2): ("stock-out", 5, "out"),
    when(22, 2): ("stock-out", 6, "out"),
    when(23, 2): ("stock-out", 7, "out"),
    when(24, 2): ("stock-refilled", 8, "ok"),
}


def end(month: Month, name: str, at: dt.datetime, attempt: int = 1) -> None:
    """A run of the month ends, five minutes after it began, as a recorded run does."""
    settings, lake = here()
    error = month.errors.get((name, at.day, at.hour))
    ds = (at - dt.timedelta(days=1)).date()
    notes = [note.format(ds=ds) for note in month.notes.get(at.day, [])] if name == DAILY else []
    run = Run(
        run_id=f"{name}-{at:%d-%H}",
        flow=name,
        ds=ds,
        started_at=at,
        status="failed" if error else "completed",
        step="extract" if error else None,
        error=f"{type(error).__name__}: {error}" if error else None,
        troubles=failure_troubles(error) if error else [],
        extracted=warned(*notes) if notes else [],
        attempt=attempt,
    )
    ended = at + dt.timedelta(minutes=5)
    values = {"flow": name, "ds": ds, "started_at": at, "recorded_at": ended}
    append_records(lake, "pipeline_runs", [run_record(run.run_id, run.status, **values)])
    known = Known.read(lake)
    deliver(alert_about(run, settings, lake, known, ended), settings, lake, known)
    if name == DAILY:
        judged = {"layer": "bronze", "table_name": "orders", "expectation": RULES, "severity": "critical"}
        judged |= {
            "run_id": run.run_id,
            "ds": ds,
            "is_success": True,
            "rows_checked": 100,
            "recorded_at": ended,
        }
        rejected = 20 if at.day in month.bad_days else 0
        append_records(lake, "quality_results", [judged | {"rows_unexpected": rejected}])
        report_low_quality(run, settings, lake, ended)


@flow(name="a-month")
def play(month: Month) -> None:
    decisions, stocks = dict(DECISIONS), dict(STOCK)
    for name, at in month.runs():
        for moment in sorted(each for each in (*decisions, *stocks) if each <= at):
            if moment in decisions:
                decisions.pop(moment)(lake_here(), moment)
            if moment in stocks:
                stock(*stocks.pop(moment), moment)
        end(month, name, at)
        if (name, at) == (DAILY, when(19, 6)):
            # Somebody has Prefect try the run again: the same trouble; then another one.
            end(month, name, at, attempt=2)
            month.errors[DAILY, 19, 6] = PermanentFailure("orders has no column amount")
            end(month, name, at, attempt=3)


@pytest.fixture
def channels(platform: Platform, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> Webhook:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{webhook.url}/slack/secret")
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", "key")
    monkeypatch.setenv("PAGERDUTY_URL", f"{webhook.url}/pagerduty")
    return webhook


# What people read in Slack, by severity, flow and the day that the run is for. Nothing else.
TOLD = [
    "",
    "error: daily 01 failed in extract",
    "info: daily 02 completed: the trouble is over",
    "error: daily 03 failed in extract",
    "error: Mug (7): out of stock",
    "critical: daily 04 failed in extract, as the run before it did",
    "info: daily: 100.0% of the rows of 04 passed: the trouble is over",
    "error: Mug (7): out of stock",
    "info: daily 06 completed: the trouble is over",
    "info: Mug (7): no longer short",
    "error: daily 07 failed in extract",
    "info: daily 08 completed: the trouble is over",
    "error: inventory 09 failed in extract",
    "critical: inventory 09 failed in extract, as the run before it did",
    "info: inventory 11 completed: the trouble is over",
    "error: daily 11 failed in extract",
    "critical: inventory 11 failed in extract, as the run before it did",
    "info: inventory 11 completed: the trouble is over",
    "warning: daily 12 completed with warnings",
    "warning: daily 14 completed with warnings",
    "error: daily 15 failed in extract",
    "info: daily 16 completed: the trouble is over",
    "error: inventory 17 failed in extract",
    "error: daily 18 failed in extract",
    "error: daily 18 failed in extract",
    "info: inventory 18 completed: the trouble is over",
    "info: daily 19 completed: the trouble is over",
    "error: Mug (7): out of stock",
    "info: Mug (7): no longer short",
    "error: daily 23 failed in extract",
    "critical: daily 24 failed in extract, as the run before it did",
    "info: daily 25 completed: the trouble is over",
    "info: daily: 100.0% of the rows of 26 passed: the trouble is over",
    "error: daily 28 failed in extract",
    "critical: daily 29 failed in extract, as the run before it did",
    "info: daily 30 completed: the trouble is over",
    "",
][1:-1]


def test_a_month_on_call(channels: Webhook) -> None:
    play(the_month())
    slack = [each.body["attachments"][0] for each in channels.requests if each.path.startswith("/slack")]
    told = [each["fallback"].replace(DAILY, "daily").replace("2024-03-", "") for each in slack]
    assert told == TOLD
    bodies = ["\n".join(block["text"]["text"] for block in each["blocks"]) for each in slack]

    # Nothing twice: between its beginning and its end, a trouble is told once of each severity. Stock is
    # repeated after a day, until somebody acknowledges it.
    rows = query_records(
        lake_here(),
        "alerts",
        "select trouble, kind, severity, outcome, is_over, override_id from records"
        " order by recorded_at, alert_id",
    )
    seen: set[tuple[str, str]] = set()
    for trouble, kind, severity, outcome, is_over, _ in rows:
        if is_over:
            seen -= {(trouble, each) for each in SEVERITIES}
        elif outcome == "told" and not kind.startswith("stock-"):
            assert (trouble, severity) not in seen, f"{trouble} was told twice"
            seen.add((trouble, severity))

    # Nothing critical held back, and each wakes somebody once; all incidents are resolved.
    outcomes = Counter((severity, outcome) for _, _, severity, outcome, is_over, _ in rows if not is_over)
    assert {outcome for severity, outcome in outcomes if severity == "critical"} == {"told", "repeated"}
    pagerduty = [each.body for each in channels.requests if each.path.startswith("/pagerduty")]
    woken = [each["dedup_key"] for each in pagerduty if each["event_action"] == "trigger"]
    assert len(woken) == sum(line.startswith("critical") for line in TOLD) == 5
    for key in woken:
        last = [each for each in pagerduty if each["dedup_key"] == key][-1]
        assert last["event_action"] == "resolve"

    assert not any("folder for 2024-03-25" in body for body in bodies), "absent data of the window was told"

    # Every message names what to call next.
    assert [body for body in bodies if "*to go on*  python -m flows." not in body] == []
    assert '--accept-failed orders --reason "…"' in bodies[TOLD.index("error: daily 07 failed in extract")]

    # What was held back is on record with the override that did, and each of these has ended.
    decided = {each.override_id: each for each in overrides(lake_here())}
    held = Counter(decided[override_id].kind for *_, override_id in rows if override_id)
    assert held == {"snooze": 6, "maintenance-window": 3, "acknowledgement": 1}
    assert [each for each in decided.values() if not each.reason or not each.person] == []
    assert [each.decision for each in decided.values() if each.is_active(when(31, 47))] == []
    assert open_troubles(lake_here()) == {}
