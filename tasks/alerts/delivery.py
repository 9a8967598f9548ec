"""Delivery of an alert: once through each of its channels, in their order, and on record.

What people know already, or have asked not to be told (verdict.py), is only recorded, in `ops.alerts`.

A channel that fails raises nothing: a run ends as it ends. Nor does a ledger that fails: the lake may be what
the alert is about. An undelivered alert is in `ops.alert_deliveries` and in the log. Nothing
confirms it to Prefect's server, whose own automation then notifies people
(deployments/resources/automations.py).
"""

from collections.abc import Callable, Sequence
from typing import Any

from prefect import Flow, get_client, task
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import Event, emit_event
from prefect.logging import get_logger

from blocks.settings.environment import PRODUCTION, PlatformName
from blocks.settings.failures import RETRY_TRANSIENT
from blocks.settings.fields import AlertFields, Channel
from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.alerts.alert import Alert
from tasks.alerts.events import DELIVERED_EVENT
from tasks.alerts.pagerduty import send_pagerduty
from tasks.alerts.run_alert import Known
from tasks.alerts.slack import send_slack
from tasks.alerts.smtp import send_email
from tasks.alerts.verdict import Outcome, end_acknowledgements, judge, record_outcome
from tasks.ledger.overrides import SNOOZE, WINDOW, Override
from tasks.ledger.queries import delivered_alerts, settled_alerts
from tasks.ledger.records import append_records

SENDERS: dict[Channel, Callable[[Alert, AlertFields], str]] = {
    "slack": send_slack,
    "email": send_email,
    "pagerduty": send_pagerduty,
}
# An alert is urgent: if a channel is down for longer than this, the next one takes its place.
RETRY_SECONDS = 2
# For one try, whose single reads have a limit of their own: a receiver that drips keeps within that.
SEND_SECONDS = 30


@task(
    task_run_name="send-{channel}",
    timeout_seconds=SEND_SECONDS,
    **{**RETRY_TRANSIENT, "retry_delay_seconds": RETRY_SECONDS},
)
def send(channel: Channel, alert: Alert, settings: AlertFields) -> str:
    """Send the alert through one channel; returns the receipt. Raises PipelineFailure."""
    return SENDERS[channel](alert, settings)


def deliver(alert: Alert, settings: AlertFields, lake: Lake, known: Known | None = None) -> bool:
    """Send the alert through each chain of its severity; returns whether there was a channel to try.

    In a chain the next channel is tried when one cannot deliver. A channel that has had this alert is not
    sent it again. A good run also resolves PagerDuty's incident, whoever opened it, and whether or not people
    are told. `known` is what the ledger knows, read here if it is not given.
    """
    alert = _as_this_platforms(alert)
    chains = _active(_chains(alert, settings), settings)
    if not any(chains):
        return False
    known = known or Known.read(lake)
    standing = known.standing(alert.at)
    verdict = judge(alert, known.troubles, standing)
    outcome: Outcome = verdict.outcome
    if verdict.is_to_be_told:
        outcome = "told" if _send(_with_overrides(alert, standing), chains, settings, lake) else "undelivered"
    else:
        get_logger("alerts").info("%s: not told, %s", alert.title, verdict.override or outcome)
        if alert.is_resolution:
            _send(alert, _active([["pagerduty"]], settings), settings, lake)
    try:
        record_outcome(alert, lake, outcome, verdict.override)
        if outcome != "undelivered":
            end_acknowledgements(alert, lake, standing)
    except Exception as error:
        get_logger("alerts").warning("not recorded: %s was %s: %s", alert.alert_id, outcome, error)
    return True


def _send(alert: Alert, chains: list[list[Channel]], settings: AlertFields, lake: Lake) -> bool:
    """Send the alert through each chain; returns whether a channel has it now that people read."""
    delivered = _delivered_before(alert, lake)
    for chain in chains:
        channel = next(
            (each for each in chain if each in delivered or _try(each, alert, settings, lake)), None
        )
        if channel:
            delivered.add(channel)
        elif chain:
            get_logger("alerts").error("not delivered by %s: %s", " or ".join(chain), alert.title)
    return bool(delivered)


def _active(chains: list[list[Channel]], settings: AlertFields) -> list[list[Channel]]:
    active = settings.active_channels()
    return [[channel for channel in chain if channel in active] for chain in chains]


def _with_overrides(alert: Alert, standing: Sequence[Override]) -> Alert:
    """The alert with what is not told at present, by whose word."""
    silent = [str(each) for each in standing if each.kind in (SNOOZE, WINDOW) and each.is_active(alert.at)]
    facts = alert.facts | ({"not told now": "; ".join(silent)} if silent else {})
    return alert.model_copy(update={"facts": facts})


def _as_this_platforms(alert: Alert) -> Alert:
    """The alert under the platform's name: it neither looks like production's nor ends its incidents."""
    if (platform := PlatformName().platform) == PRODUCTION:
        return alert
    own = {"title": f"{platform}: {alert.title}", "dedup_key": f"{platform}/{alert.dedup_key}"}
    return alert.model_copy(update=own)


def _chains(alert: Alert, settings: AlertFields) -> list[list[Channel]]:
    """The chains of channels that the alert's severity is routed to."""
    chains = settings.alert_routes[alert.undoes or alert.severity]
    if alert.is_good_news:
        # PagerDuty has only incidents and their end: no other good news.
        chains = [[channel for channel in chain if channel != "pagerduty"] for chain in chains]
    return [*chains, ["pagerduty"]] if alert.is_resolution else chains


def confirm_delivery(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """Flow hook: confirm to Prefect's server that nothing more is to be told of this run's end.

    An alert about it was delivered, or deliberately not sent.
    """
    lake = Lake(Settings().lake_uri)
    settled = settled_alerts(lake, str(flow_run.id))
    if flow_run.deployment_id is None or not any(alert_id.startswith("run-") for alert_id in settled):
        return
    with get_client(sync_client=True) as client:
        deployment = client.read_deployment(flow_run.deployment_id)
    run = {"prefect.resource.id": f"prefect.flow-run.{flow_run.id}"}
    # The server gives a state's event the state's id. Ours follows it, so that it is not evaluated before it.
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


def _try(channel: Channel, alert: Alert, settings: AlertFields, lake: Lake) -> bool:
    """Send the alert through one channel and record how that ended; returns whether it was delivered."""
    state = send(channel, alert, settings, return_state=True)
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
        append_records(lake, "alert_deliveries", [record])
    except Exception as error:
        get_logger("alerts").warning("not recorded: %s: %s", record, error)
    return state.is_completed()


def _delivered_before(alert: Alert, lake: Lake) -> set[Channel]:
    """The channels that have had this alert."""
    try:
        records = delivered_alerts(lake, alert.run_id)
    except Exception as error:
        # Rather twice than never.
        get_logger("alerts").warning("cannot read from the ledger what was delivered: %s", error)
        return set()
    return {channel for channel in SENDERS if (alert.alert_id, channel) in records}
