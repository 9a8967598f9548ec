"""Delivering alerts, from inside a real flow to real receivers: which channels, in which order, once, on record."""

import json
from types import SimpleNamespace
from typing import get_args

import duckdb
import pytest
from prefect import flow

from blocks.settings.fields import ROUTES, Channel, Severity
from tasks.alerts import delivery as deliver_module
from tasks.alerts.alert import Alert
from tasks.alerts.delivery import SENDERS, deliver
from tasks.ledger.queries import delivered_alerts
from tasks.ledger.warehouse_copy import copy_to_warehouse
from tests.support.alerts import alert
from tests.support.platforms import Platform, here, lake_here
from tests.support.receivers import Mailbox, Webhook

pytestmark = pytest.mark.usefixtures("prefect_server")

CRITICAL = alert(alert_id="run-failed-twice/run-1", kind="run-failed-twice", severity="critical")
COMPLETED = alert(alert_id="run-completed/run-1", kind="run-completed", severity="info", is_resolution=True)
WARNED = alert(
    alert_id="run-with-warnings/run-1", kind="run-with-warnings", severity="warning", is_resolution=True
)


@flow(name="test-deliver")
def delivering(message: Alert) -> bool:
    return deliver(message, *here())


@pytest.fixture
def slack(platform: Platform, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_WEBHOOK_URL", f"{webhook.url}/slack/hunter2secret")


@pytest.fixture
def pagerduty(platform: Platform, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", "key")
    monkeypatch.setenv("PAGERDUTY_URL", f"{webhook.url}/pagerduty")


@pytest.fixture
def email(platform: Platform, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMTP_URL", mailbox.url)
    monkeypatch.setenv("ALERT_EMAIL_TO", "you@example.com")


def said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """(level, message) of what is logged about alerts."""
    return [(each.levelname, each.getMessage()) for each in caplog.records if each.name == "prefect.alerts"]


def posted(webhook: Webhook) -> list[str]:
    """The channels that have been posted to, in their order."""
    return [request.path.split("/")[1] for request in webhook.requests]


def recorded(platform: Platform) -> list[tuple[str, str, bool, str]]:
    """(alert, channel, whether it was delivered, detail) of the lake's record, in the order of events."""
    table = platform.lake.table("ops.alert_deliveries")
    rows = table.to_pyarrow_table().sort_by("recorded_at").to_pylist() if table else []
    return [(row["alert_id"], row["channel"], row["is_delivered"], row["detail"]) for row in rows]


@pytest.mark.usefixtures("slack", "email", "pagerduty")
def test_an_error_goes_to_slack_alone(platform: Platform, webhook: Webhook, mailbox: Mailbox) -> None:
    assert delivering(alert())
    assert posted(webhook) == ["slack"]
    assert webhook.requests[0].body["attachments"][0]["color"] == "#d72b3f"
    assert mailbox.messages == []
    assert recorded(platform) == [("run-failed/run-1", "slack", True, "Slack answered 202 ok")]


@pytest.mark.usefixtures("slack", "email", "pagerduty")
def test_when_slack_is_broken_email_takes_its_place(
    platform: Platform, webhook: Webhook, mailbox: Mailbox
) -> None:
    webhook.answers += [500, 503, 500]
    assert delivering(alert())
    assert posted(webhook) == ["slack", "slack", "slack"]
    assert [mail["Subject"] for mail in mailbox.messages] == ["[error] daily 2024-03-04 failed in transform"]
    assert recorded(platform) == [
        ("run-failed/run-1", "slack", False, "Slack answered 500 Cannot POST /…"),
        ("run-failed/run-1", "email", True, "accepted for you@example.com"),
    ]


@pytest.mark.usefixtures("slack", "email")
def test_a_refusal_is_not_tried_again(platform: Platform, webhook: Webhook, mailbox: Mailbox) -> None:
    webhook.answers.append(404)
    assert delivering(alert())
    assert len(webhook.requests) == 1
    assert len(mailbox.messages) == 1
    refused = "Slack answered 404 Cannot POST /…; correct its address or key"
    assert recorded(platform)[0] == ("run-failed/run-1", "slack", False, refused)


@pytest.mark.usefixtures("slack", "email", "pagerduty")
def test_a_critical_alert_goes_to_slack_and_pagerduty(webhook: Webhook, mailbox: Mailbox) -> None:
    assert delivering(CRITICAL)
    assert posted(webhook) == ["slack", "pagerduty"]
    event = webhook.requests[1].body
    assert (event["routing_key"], event["event_action"]) == ("key", "trigger")
    assert (event["dedup_key"], event["payload"]["severity"]) == ("daily", "critical")
    assert mailbox.messages == []


@pytest.mark.usefixtures("slack", "email")
def test_email_takes_the_place_of_pagerduty_where_there_is_none(webhook: Webhook, mailbox: Mailbox) -> None:
    assert delivering(CRITICAL)
    assert (posted(webhook), len(mailbox.messages)) == (["slack"], 1)


@pytest.mark.usefixtures("email")
def test_two_chains_that_end_in_one_mailbox_send_one_mail(platform: Platform, mailbox: Mailbox) -> None:
    assert delivering(CRITICAL)
    assert len(mailbox.messages) == 1
    assert len(recorded(platform)) == 1


@pytest.mark.usefixtures("slack", "email", "pagerduty")
def test_a_completed_run_notifies_nobody_and_resolves_the_incident(
    webhook: Webhook, mailbox: Mailbox
) -> None:
    assert delivering(COMPLETED)
    assert [request.body for request in webhook.requests] == [
        {"routing_key": "key", "event_action": "resolve", "dedup_key": "daily"}
    ]
    assert mailbox.messages == []


@pytest.mark.usefixtures("slack", "pagerduty")
def test_another_platform_names_itself_and_has_incidents_of_its_own(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Blocks of its own would be needed, and are not what is tested.
    monkeypatch.setattr(deliver_module, "PlatformName", lambda: SimpleNamespace(platform="staging"))
    assert delivering(CRITICAL)
    slack, pagerduty = (request.body for request in webhook.requests)
    assert slack["attachments"][0]["fallback"] == f"critical: staging: {CRITICAL.title}"
    assert pagerduty["dedup_key"] == "staging/daily"


REFILLED = alert(kind="stock-refilled", severity="info", undoes="critical", dedup_key="stock")


@pytest.mark.usefixtures("slack", "email", "pagerduty")
def test_good_news_goes_where_the_bad_news_went_but_wakes_nobody(webhook: Webhook) -> None:
    assert delivering(REFILLED)
    assert posted(webhook) == ["slack"]
    assert delivering(REFILLED.model_copy(update={"alert_id": "b", "is_resolution": True}))
    assert posted(webhook) == ["slack", "slack", "pagerduty"]
    assert webhook.requests[2].body["event_action"] == "resolve"


@pytest.mark.usefixtures("slack", "pagerduty")
def test_a_completed_run_with_warnings_notifies_and_resolves(webhook: Webhook) -> None:
    assert delivering(WARNED)
    assert posted(webhook) == ["slack", "pagerduty"]
    assert webhook.requests[1].body["event_action"] == "resolve"


@pytest.mark.usefixtures("slack", "email", "pagerduty")
def test_the_same_alert_is_sent_once(platform: Platform, webhook: Webhook, mailbox: Mailbox) -> None:
    assert delivering(CRITICAL)
    assert delivering(CRITICAL)
    assert posted(webhook) == ["slack", "pagerduty"]
    assert len(recorded(platform)) == 2
    other = CRITICAL.model_copy(update={"run_id": "run-2", "alert_id": "run-failed-twice/run-2"})
    assert delivering(other)
    assert posted(webhook) == ["slack", "pagerduty"] * 2
    assert delivered_alerts(lake_here(), "run-2") == {
        (other.alert_id, "slack"),
        (other.alert_id, "pagerduty"),
    }


@pytest.mark.usefixtures("slack")
def test_what_was_not_delivered_is_tried_when_delivered_again(platform: Platform, webhook: Webhook) -> None:
    webhook.answers.append(404)
    assert delivering(alert())
    assert delivered_alerts(lake_here(), "run-1") == set()
    assert delivering(alert())
    assert delivered_alerts(lake_here(), "run-1") == {("run-failed/run-1", "slack")}
    assert [row[2] for row in recorded(platform)] == [False, True]


@pytest.mark.parametrize("message", [alert(), CRITICAL, COMPLETED, WARNED], ids=lambda each: each.kind)
def test_channels_that_are_off_are_neither_tried_nor_recorded(
    platform: Platform, webhook: Webhook, mailbox: Mailbox, caplog: pytest.LogCaptureFixture, message: Alert
) -> None:
    assert not delivering(message)
    assert (webhook.requests, mailbox.messages, recorded(platform)) == ([], [], [])
    assert said(caplog) == []


def test_a_mail_server_without_recipients_is_off(
    platform: Platform, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMTP_URL", mailbox.url)
    assert not delivering(alert())
    assert mailbox.messages == []


@pytest.mark.usefixtures("slack", "email")
def test_when_no_channel_delivers_the_log_says_so(
    platform: Platform, webhook: Webhook, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.answers.append(403)
    mailbox.refused.add("you@example.com")
    assert delivering(alert())
    assert said(caplog) == [("ERROR", f"not delivered by slack or email: {alert().title}")]
    assert [row[1:3] for row in recorded(platform)] == [("slack", False), ("email", False)]
    assert "hunter2secret" not in f"{recorded(platform)} {caplog.text}"


@pytest.mark.usefixtures("slack", "pagerduty")
def test_one_chain_that_fails_keeps_no_other_from_being_tried(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    webhook.answers.append(403)
    assert delivering(CRITICAL)
    assert posted(webhook) == ["slack", "pagerduty"]
    assert said(caplog) == [("ERROR", f"not delivered by slack: {CRITICAL.title}")]


@pytest.mark.usefixtures("slack", "email", "pagerduty")
def test_the_routes_can_be_changed(
    webhook: Webhook, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    routes = {"info": [["email"]], "warning": [], "error": [["email"], ["pagerduty"]], "critical": []}
    monkeypatch.setenv("ALERT_ROUTES", json.dumps(routes))
    assert delivering(alert())
    assert (posted(webhook), len(mailbox.messages)) == (["pagerduty"], 1)
    assert not delivering(CRITICAL)
    assert delivering(COMPLETED)
    assert (posted(webhook), len(mailbox.messages)) == (["pagerduty"] * 2, 2)


@pytest.mark.usefixtures("slack", "email")
def test_a_severity_that_the_routes_leave_out_keeps_its_own(
    webhook: Webhook, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALERT_ROUTES", json.dumps({"critical": [["email"]]}))
    assert delivering(alert())
    assert (posted(webhook), len(mailbox.messages)) == (["slack"], 0)
    assert delivering(CRITICAL)
    assert (posted(webhook), len(mailbox.messages)) == (["slack"], 1)


@pytest.mark.usefixtures("slack")
def test_a_ledger_that_is_broken_keeps_no_alert_back(
    platform: Platform, webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    log = platform.folder / "lake" / "ops" / "alert_deliveries" / "_delta_log"
    log.mkdir(parents=True)
    (log / f"{0:020}.json").write_text("not a log")
    assert delivering(alert())
    assert posted(webhook) == ["slack"]
    (read, written) = said(caplog)
    assert read[0] == written[0] == "WARNING"
    assert read[1].startswith("cannot read from the ledger what was delivered: ")
    assert written[1].startswith("not recorded: {'alert_id': 'run-failed/run-1', ")


@pytest.mark.usefixtures("slack", "email")
def test_the_warehouse_has_every_delivery(platform: Platform, webhook: Webhook) -> None:
    webhook.answers.append(404)
    delivering(alert())
    copy_to_warehouse(*here())
    columns = "alert_id, run_id, kind, severity, channel, is_delivered"
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        rows = connection.execute(
            f"select {columns} from ops.alert_deliveries order by recorded_at"
        ).fetchall()
    failed = ("run-failed/run-1", "run-1", "run-failed", "error")
    assert rows == [(*failed, "slack", False), (*failed, "email", True)]


def test_every_channel_of_the_routes_has_a_sender() -> None:
    assert set(SENDERS) == set(get_args(Channel))
    assert set(ROUTES) == set(get_args(Severity))
