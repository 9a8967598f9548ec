"""An alert as a PagerDuty event (Events API v2): triggers an incident, or resolves it.

https://developer.pagerduty.com/docs/send-alert-event
"""

from typing import Any

from blocks.settings.fields import AlertFields
from tasks.alerts.alert import Alert
from tasks.alerts.webhook import post

LONGEST_SUMMARY = 1024


def send_pagerduty(alert: Alert, settings: AlertFields) -> str:
    """Send the event; returns the receipt. Raises PipelineFailure."""
    event = {"routing_key": settings.pagerduty_routing_key.get_secret_value(), **payload(alert)}
    return post("PagerDuty", settings.pagerduty_url, event)


def payload(alert: Alert) -> dict[str, Any]:
    """The event without its routing key; `dedup_key` says which incident it belongs to."""
    if alert.is_resolution:
        return {"event_action": "resolve", "dedup_key": alert.dedup_key}
    error = [alert.facts["error"]] if "error" in alert.facts else []
    links = [{"href": alert.runbook_url, "text": "what to do"}]
    if alert.run_url:
        links.append({"href": alert.run_url, "text": "the run"})
    return {
        "event_action": "trigger",
        "dedup_key": alert.dedup_key,
        "payload": {
            "summary": ": ".join([alert.title, *error])[:LONGEST_SUMMARY],
            "severity": alert.severity,
            "source": alert.flow,
            **({"component": alert.facts["step"]} if "step" in alert.facts else {}),
            "custom_details": alert.facts,
        },
        "links": links,
    }
