"""An alert as a Slack message, through an incoming webhook."""

import re
from html import escape
from typing import Any

from blocks.settings.fields import AlertFields
from tasks.alerts.alert import COLORS, GO_ON, Alert
from tasks.alerts.webhook import post

# Slack refuses a longer text in one block.
LONGEST = 2900


def send_slack(alert: Alert, settings: AlertFields) -> str:
    """Post the alert; returns the receipt. Raises PipelineFailure."""
    return post("Slack", settings.slack_webhook_url.get_secret_value(), payload(alert))


def payload(alert: Alert) -> dict[str, Any]:
    """The message: coloured by severity, a fact a line, links to the run and to the runbook."""
    lines = {name: f"*{_text(name)}*  {_text(value)}" for name, value in alert.facts.items()}
    # In a block of its own: a long error does not cut it off.
    go_on = [_cut(lines.pop(GO_ON))] if GO_ON in lines else []
    facts = "\n".join(lines.values())
    links = f"<{alert.runbook_url}|what to do>" + (f"  ·  <{alert.run_url}|the run>" if alert.run_url else "")
    blocks = [_cut(f"*{_text(alert.title)}*"), _cut(facts), *go_on, links]
    return {
        "attachments": [
            {
                "color": COLORS[alert.severity],
                "fallback": f"{alert.severity}: {alert.title}",
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in blocks],
            }
        ]
    }


def _cut(text: str) -> str:
    """The text as far as Slack takes it; an escaped character stays whole."""
    if len(text) <= LONGEST:
        return text
    return re.sub("&[a-z]*$", "", text[: LONGEST - 1]) + "…"


def _text(value: str) -> str:
    # Slack's own escapes: these three characters, as in HTML, and no others.
    return escape(value, quote=False)
