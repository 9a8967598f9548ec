"""Notify: the outcome of a run, to people, on every channel."""

import datetime as dt

from prefect import flow

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.alerts.delivery import deliver
from tasks.alerts.run_alert import Known, alert_about
from tasks.ledger.run import Run
from tasks.ledger.warehouse_copy import copy_to_warehouse
from tasks.quality.trend import report_low_quality
from tasks.report.run_summary import create_artifact, print_summary


@flow(name="notify", flow_run_name="notify-{run.ds}", validate_parameters=False)
def notify(run: Run, settings: Settings, lake: Lake) -> None:
    """Alert people, print the run's summary, keep it as an artifact, and report bad days in a row."""
    known = Known.read(lake)
    if deliver(alert_about(run, settings, lake, known), settings, lake, known):
        copy_to_warehouse(settings, lake)
    run.overrides += [str(each) for each in known.overrides if each.is_active(dt.datetime.now(dt.UTC))]
    print_summary(run, settings)
    create_artifact(run, settings)
    report_low_quality(run, settings, lake)
