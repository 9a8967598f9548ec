"""Notify: tell how a run ended, on every channel."""

from prefect import flow

from tasks.notify import publish_artifact, tell_console
from tasks.run import Run


@flow(name="notify", flow_run_name="notify-{run.ds}", validate_parameters=False)
def notify(run: Run) -> None:
    """Publish the run's artifact and print its message."""
    publish_artifact(run)
    tell_console(run)
