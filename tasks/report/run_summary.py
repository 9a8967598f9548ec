"""The summary of a run: one message, in the terminal and in Prefect's UI."""

from prefect import task
from prefect.artifacts import create_markdown_artifact
from rich.console import Console
from rich.markdown import Markdown

from blocks.settings.settings import Settings
from tasks.ledger.run import Run
from tasks.report.site import address, documentation
from tasks.templates.render import render


def message(run: Run, settings: Settings) -> str:
    """The message about a run, in Markdown: outcome, links, rows per layer, rejected rows, durations."""
    links = {"report": run.report_url} if run.report_url else {}
    links |= {name: address(settings, path) for name, path in documentation(settings).items()}
    return render("run_summary.md.j2", run=run, links=links)


@task(task_run_name="print-summary")
def print_summary(run: Run, settings: Settings) -> None:
    """Print the message in the terminal."""
    Console(width=max(110, Console().width)).print(Markdown(message(run, settings)))


@task(task_run_name="create-artifact")
def create_artifact(run: Run, settings: Settings) -> None:
    """Keep the message as the run's Markdown artifact in Prefect."""
    create_markdown_artifact(message(run, settings), key=run.flow, description=f"{run.flow} for {run.ds}")
