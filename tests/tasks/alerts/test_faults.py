"""A receiver of alerts that cuts off, falls silent or drips: given up in time, and the alert is not lost."""

import time
from collections.abc import Iterator

import pytest
from prefect import flow

from blocks import alert_channels
from tasks.alerts import delivery, webhook
from tests.support.alerts import alert
from tests.support.platforms import Platform, here
from tests.support.receivers import Mailbox, open_faulty_port

pytestmark = pytest.mark.usefixtures("prefect_server")

CRITICAL = alert(alert_id="run-failed-twice/run-1", kind="run-failed-twice", severity="critical")


@flow(name="test-deliver-through-faults")
def delivering(message: delivery.Alert) -> bool:
    return delivery.deliver(message, *here())


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(alert_channels, "TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(
        delivery, "send", delivery.send.with_options(timeout_seconds=1.5, retry_delay_seconds=0.1)
    )


@pytest.fixture(params=["cut", "silent", "slow"])
def faulty_port(request: pytest.FixtureRequest) -> Iterator[int]:
    with open_faulty_port(request.param) as port:
        yield port


def outcomes(platform: Platform) -> list[tuple[str, bool]]:
    """(channel, whether it was delivered) of the lake's record, in the order of events."""
    table = platform.lake.table("ops.alert_deliveries")
    assert table
    rows = table.to_pyarrow_table().sort_by("recorded_at").to_pylist()
    return [(row["channel"], row["is_delivered"]) for row in rows]


def test_when_slack_or_pagerduty_does_not_answer_email_takes_its_place_in_time(
    platform: Platform, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, faulty_port: int
) -> None:
    monkeypatch.setenv("SMTP_URL", mailbox.url)
    monkeypatch.setenv("ALERT_EMAIL_TO", "you@example.com")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", f"http://127.0.0.1:{faulty_port}/slack")
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", "key")
    monkeypatch.setenv("PAGERDUTY_URL", f"http://127.0.0.1:{faulty_port}/pagerduty")
    begun = time.monotonic()
    assert delivering(CRITICAL)
    assert time.monotonic() - begun < 60
    assert len(mailbox.messages) == 1
    assert outcomes(platform) == [("slack", False), ("email", True), ("pagerduty", False)]


def test_when_no_mail_server_answers_it_is_said_and_tried_again(
    platform: Platform,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    faulty_port: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ALERT_EMAIL_TO", "you@example.com")
    monkeypatch.setenv("SMTP_URL", f"smtp://127.0.0.1:{faulty_port}")
    begun = time.monotonic()
    assert delivering(CRITICAL)
    assert time.monotonic() - begun < 60
    assert f"not delivered by email: {CRITICAL.title}" in caplog.text
    monkeypatch.setenv("SMTP_URL", mailbox.url)
    assert delivering(CRITICAL)
    assert len(mailbox.messages) == 1
    assert [is_delivered for _, is_delivered in outcomes(platform)][-1]
    assert not any(is_delivered for _, is_delivered in outcomes(platform)[:-1])


def test_the_whole_of_a_sending_has_a_limit() -> None:
    """A receiver that drips keeps within every limit of a single read."""
    assert 0 < (delivery.send.timeout_seconds or 0) <= 60
