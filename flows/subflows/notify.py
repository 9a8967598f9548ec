"""Notify: tell how a run ended, on every channel."""

from prefect import flow

from tasks.alerts.alert import alert_about
from tasks.alerts.delivery import deliver
from tasks.ledger.run import Run
from tasks.ledger.warehouse_copy import copy_to_warehouse
from tasks.quality.trend import report_low_quality
from tasks.report.run_summary import create_artifact, print_summary


@flow(name="notify", flow_run_name="notify-{run.ds}", validate_parameters=False)
def notify(run: Run) -> None:
    """Alert people, print the run's message, publish it as an artifact, and report a run of bad days."""
    if deliver(alert_about(run)):
        copy_to_warehouse()
    print_summary(run)
    create_artifact(run)
    report_low_quality(run)
