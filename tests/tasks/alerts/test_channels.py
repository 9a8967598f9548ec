"""An alert in the form of each channel."""

import re
from email import message_from_bytes, policy
from typing import Any

import pytest

from blocks.settings.settings import Settings
from tasks.alerts.pagerduty import payload as pagerduty
from tasks.alerts.slack import payload as slack
from tasks.alerts.smtp import message, send_email
from tests.support.alerts import alert
from tests.support.platforms import Platform
from tests.support.receivers import Mailbox

WILD = 'amount < 0 & status <> "x" <script>alert(1)</script>'


def texts(**values: Any) -> list[str]:
    """The texts of the blocks of a Slack message."""
    (attachment,) = slack(alert(**values))["attachments"]
    assert {block["type"] for block in attachment["blocks"]} == {"section"}
    assert {block["text"]["type"] for block in attachment["blocks"]} == {"mrkdwn"}
    return [block["text"]["text"] for block in attachment["blocks"]]


def parts(**values: Any) -> tuple[str, str]:
    """(plain, HTML) of an e-mail, as it comes out at the other end."""
    sent = message(alert(**values), "me@example.com", "you@example.com")
    received = message_from_bytes(sent.as_bytes(), policy=policy.default)
    plain, html = received.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return plain.get_content(), html.get_content()


@pytest.mark.parametrize(
    ("severity", "color"),
    [("info", "#2eb67d"), ("warning", "#f2952f"), ("error", "#d72b3f"), ("critical", "#8b0020")],
)
def test_slack_and_email_show_the_severity_in_its_colour(severity: str, color: str) -> None:
    (attachment,) = slack(alert(severity=severity))["attachments"]
    assert attachment["color"] == color
    assert attachment["fallback"] == f"{severity}: daily 2024-03-04 failed in transform"
    assert f"border-left: 6px solid {color};" in parts(severity=severity)[1]


def test_slack_says_what_is_known_and_where_to_go_on() -> None:
    assert texts(run_url="https://prefect.example/runs/1", facts={"quarantined": "1,234 rows"}) == [
        "*daily 2024-03-04 failed in transform*",
        "*flow*  daily\n*ds*  2024-03-04\n*step*  transform\n"
        "*error*  DataFailure: orders: too many rejected\n*quarantined*  1,234 rows",
        "<https://books.example/runbook#run-failed|what to do>  ·  <https://prefect.example/runs/1|the run>",
    ]


def test_slack_links_no_run_without_a_page() -> None:
    assert texts()[2] == "<https://books.example/runbook#run-failed|what to do>"


def test_slack_escapes_its_three_characters() -> None:
    title, facts, _ = texts(title="a <b> & c", facts={"error": WILD})
    assert title == "*a &lt;b&gt; &amp; c*"
    assert '*error*  amount &lt; 0 &amp; status &lt;&gt; "x" &lt;script&gt;alert(1)&lt;/script&gt;' in facts


def test_slack_escapes_the_names_of_facts_as_well() -> None:
    """A product's name is one, and whoever writes it must not call the channel."""
    _, facts, _ = texts(facts={"<!channel> SALE <https://evil.example|free> (7)": "none left"})
    assert "*&lt;!channel&gt; SALE &lt;https://evil.example|free&gt; (7)*  none left" in facts
    assert "<" not in facts


def test_slack_takes_no_text_above_three_thousand_characters() -> None:
    title, facts, links = texts(title="long " * 2000, facts={"error": "long " * 2000})
    assert len(facts) == len(title) == 2900
    assert facts.endswith("…")
    assert "what to do" in links


@pytest.mark.parametrize("length", range(2880, 2890))
def test_slack_is_sent_no_half_of_an_escaped_character(length: int) -> None:
    _, facts, _ = texts(facts={"error": "x" * length + "&" * 100})
    assert len(facts) <= 2900
    assert re.fullmatch(r"[^&]*(&amp;)*…", facts.partition("*error*")[2])


def test_a_line_end_in_a_products_name_ends_no_header() -> None:
    wild = "Kettle\r\nBcc: all@example.com (7): out of stock"
    assert message(alert(title=wild), "me@example.com", "you@example.com")["Subject"] == (
        "[error] Kettle Bcc: all@example.com (7): out of stock"
    )
    assert "*Kettle Bcc: all@example.com*" in texts(facts={"Kettle\nBcc: all@example.com": "none left"})[1]


def test_email_says_what_is_known_and_where_to_go_on() -> None:
    plain, html = parts(run_url="https://prefect.example/runs/1", facts={"quarantined": "1,234 rows"})
    assert plain.splitlines() == [
        "daily 2024-03-04 failed in transform",
        "",
        "flow          daily",
        "ds            2024-03-04",
        "step          transform",
        "error         DataFailure: orders: too many rejected",
        "quarantined   1,234 rows",
        "",
        "What to do: https://books.example/runbook#run-failed",
        "The run:    https://prefect.example/runs/1",
    ]
    assert '<a href="https://books.example/runbook#run-failed">What to do</a>' in html
    assert '<a href="https://prefect.example/runs/1">The run</a>' in html
    assert ">1,234 rows</td>" in html


def test_email_links_no_run_without_a_page() -> None:
    assert not any("The run" in part for part in parts())


def test_email_escapes_in_html_only() -> None:
    plain, html = parts(facts={"error": WILD}, title="a <b> & c")
    assert WILD in plain
    assert "<script>" not in html
    assert "amount &lt; 0 &amp; status &lt;&gt; &#34;x&#34; &lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a &lt;b&gt; &amp; c</h1>" in html


def test_email_has_the_headers_that_a_mail_needs() -> None:
    mail = message(alert(), "me@example.com", "you@example.com, boss@example.com")
    assert mail["Subject"] == "[error] daily 2024-03-04 failed in transform"
    assert (mail["From"], mail["To"]) == ("me@example.com", "you@example.com, boss@example.com")
    assert mail["Date"].datetime.tzinfo


def test_the_same_alert_is_the_same_mail() -> None:
    first, again = (message(alert(), "me@example.com", "you@example.com")["Message-ID"] for _ in range(2))
    other = message(alert(alert_id="run-failed/run-2"), "me@example.com", "you@example.com")["Message-ID"]
    assert first == again == "<run-failed.run-1@ecommerce-pipeline>"
    assert other != first


@pytest.mark.parametrize(
    ("refused", "receipt"),
    [
        pytest.param(set(), "accepted for you@example.com, boss@example.com", id="everybody"),
        pytest.param(
            {"boss@example.com"},
            "accepted for you@example.com, boss@example.com, but not for boss@example.com",
            id="one is refused",
        ),
    ],
)
def test_email_goes_to_every_recipient(
    platform: Platform, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch, refused: set[str], receipt: str
) -> None:
    monkeypatch.setenv("SMTP_URL", mailbox.url)
    monkeypatch.setenv("ALERT_EMAIL_TO", "you@example.com, boss@example.com")
    mailbox.refused |= refused
    assert send_email(alert(), Settings()) == receipt
    (mail,) = mailbox.messages
    assert (mail["From"], mail["To"]) == ("ecommerce-pipeline@localhost", "you@example.com, boss@example.com")


def test_pagerduty_triggers_an_incident() -> None:
    assert pagerduty(alert(run_url="https://prefect.example/runs/1", severity="critical")) == {
        "event_action": "trigger",
        "dedup_key": "daily",
        "payload": {
            "summary": "daily 2024-03-04 failed in transform: DataFailure: orders: too many rejected",
            "severity": "critical",
            "source": "daily",
            "component": "transform",
            "custom_details": {
                "flow": "daily",
                "ds": "2024-03-04",
                "step": "transform",
                "error": "DataFailure: orders: too many rejected",
            },
        },
        "links": [
            {"href": "https://books.example/runbook#run-failed", "text": "what to do"},
            {"href": "https://prefect.example/runs/1", "text": "the run"},
        ],
    }


def test_pagerduty_gets_nothing_that_is_not_known() -> None:
    event = pagerduty(alert(facts={"step": None}))
    assert "component" not in event["payload"]
    assert [link["text"] for link in event["links"]] == ["what to do"]


@pytest.mark.parametrize("kind", ["run-completed", "run-with-warnings"])
def test_a_good_run_resolves_the_incident(kind: str) -> None:
    assert pagerduty(alert(kind=kind, is_resolution=True)) == {
        "event_action": "resolve",
        "dedup_key": "daily",
    }


def test_pagerduty_takes_no_longer_summary() -> None:
    event = pagerduty(alert(facts={"error": "long " * 2000}))
    assert len(event["payload"]["summary"]) == 1024
    assert len(event["payload"]["custom_details"]["error"]) == 10_000
