"""Delivering an alert: which channels, in which order, once, and on record.

Nothing here raises because a channel failed: the run's end is what it is, told or not. Nor because the ledger
did: the lake may be what the alert is about. What could not be told is in `ops.alert_deliveries`, in the log,
and, since nothing confirms it to Prefect's server, told by the server's own automation
(deployments/resources/automations.py).
"""

from typing import Any

from prefect import Flow, get_client, task
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import Event, emit_event
from prefect.logging import get_logger

from blocks.failures import RETRY_TRANSIENT
from blocks.settings.alert_routes import ROUTES
from blocks.settings.environment import PRODUCTION, PlatformName
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.alerts.alert import Alert
from tasks.alerts.events import DELIVERED_EVENT
from tasks.alerts.pagerduty import send_pagerduty
from tasks.alerts.slack import send_slack
from tasks.alerts.smtp import send_email
from tasks.ledger.queries import delivered_alerts
from tasks.ledger.records import append_records

SENDERS = {"slack": send_slack, "email": send_email, "pagerduty": send_pagerduty}
# People wait for an alert: a channel that is down for longer than this has the next one take its place.
RETRY_SECONDS = 2


@task(task_run_name="send-{channel}", **{**RETRY_TRANSIENT, "retry_delay_seconds": RETRY_SECONDS})
def send(channel: str, alert: Alert) -> str:
    """Send the alert through one channel; returns the receipt. Raises PipelineFailure."""
    return SENDERS[channel](alert)


def deliver(alert: Alert) -> bool:
    """Send the alert through each chain of its severity; returns whether anything was tried.

    A channel that has had this alert is not sent it again. A good run also resolves PagerDuty's incident,
    whoever opened it.
    """
    settings = Settings()
    if (platform := PlatformName().platform) != PRODUCTION:
        # Neither to be taken for production's, nor to end its incidents.
        own = {"title": f"{platform}: {alert.title}", "dedup_key": f"{platform}/{alert.dedup_key}"}
        alert = alert.model_copy(update=own)
    active = {
        "slack": bool(settings.slack_webhook_url.get_secret_value()),
        "email": bool(settings.smtp_url.get_secret_value() and settings.alert_email_to),
        "pagerduty": bool(settings.pagerduty_routing_key.get_secret_value()),
    }
    severity = alert.undoes or alert.severity
    chains = settings.alert_routes.get(severity, ROUTES[severity])
    if alert.undoes:
        # PagerDuty knows incidents and their end, and no good news beside.
        chains = [[channel for channel in chain if channel != "pagerduty"] for chain in chains]
    if alert.is_resolution:
        chains = [*chains, ["pagerduty"]]
    has_had = _recall(alert)
    tried = False
    for chain in chains:
        channels = [channel for channel in chain if active[channel]]
        for channel in channels:
            if (alert.alert_id, channel) in has_had or _try(channel, alert):
                has_had.add((alert.alert_id, channel))
                break
        else:
            if channels:
                get_logger("alerts").error("nobody was told by %s: %s", " or ".join(channels), alert.title)
        tried = tried or bool(channels)
    return tried


def confirm_delivery(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """Flow hook: let Prefect's server know that people have been told of this run's end."""
    told = {alert_id for alert_id, _ in delivered_alerts(Lake(Settings().lake_uri), str(flow_run.id))}
    if flow_run.deployment_id is None or not any(alert_id.startswith("run-") for alert_id in told):
        return
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment(flow_run.deployment_id)
    run = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}"}
    # The server gives the event of a state the state's id. Said to follow it, ours is not weighed before it.
    ended = Event.model_validate(
        {
            "id": state.id,
            "occurred": state.timestamp,
            "event": f"prefect.flow-run.{state.name}",
            "resource": run,
        }
    )
    emit_event(
        DELIVERED_EVENT,
        follows=ended,
        resource=run,
        related=[
            {
                "prefect.resource.id": f"prefect.deployment.{deployment.id}",
                "prefect.resource.role": "deployment",
                "prefect.resource.name": deployment.name,
            }
        ],
    )


def _try(channel: str, alert: Alert) -> bool:
    state = send(channel, alert, return_state=True)
    record = {
        "alert_id": alert.alert_id,
        "run_id": alert.run_id,
        "kind": alert.kind,
        "severity": alert.severity,
        "channel": channel,
        "is_delivered": state.is_completed(),
        "detail": str(state.result(raise_on_failure=False)),
    }
    try:
        append_records(Lake(Settings().lake_uri), "alert_deliveries", [record])
    except Exception as error:
        get_logger("alerts").warning("not recorded: %s: %s", record, error)
    return state.is_completed()


def _recall(alert: Alert) -> set[tuple[str, str]]:
    try:
        return delivered_alerts(Lake(Settings().lake_uri), alert.run_id)
    except Exception as error:
        # Rather twice than never.
        get_logger("alerts").warning("the ledger does not tell what was delivered: %s", error)
        return set()
