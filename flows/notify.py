"""Notify: tell how a run ended, on every channel."""

from prefect import flow

from tasks.alert import alert_about
from tasks.deliver import deliver
from tasks.ledger import copy_to_warehouse
from tasks.notify import publish_artifact, tell_console
from tasks.quality_trend import report_low_quality
from tasks.run import Run


@flow(name="notify", flow_run_name="notify-{run.ds}", validate_parameters=False)
def notify(run: Run) -> None:
    """Publish the run's artifact, print its message, alert people, and report a run of bad days."""
    publish_artifact(run)
    tell_console(run)
    if deliver(alert_about(run)):
        copy_to_warehouse()
    report_low_quality(run)
