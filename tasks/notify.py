"""Telling people how a run ended: one message, rendered per channel. Here: the terminal and Prefect's UI."""

from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from prefect import task
from prefect.artifacts import create_markdown_artifact
from rich.console import Console
from rich.markdown import Markdown

from tasks.run import Run

_TEMPLATES = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # noqa: S701 Markdown


def message(run: Run) -> str:
    """The message about a run, in Markdown: outcome, rows per layer, rejects by reason, gates, durations."""
    template = files("tasks").joinpath("run_message.md.j2").read_text(encoding="utf-8")
    return _TEMPLATES.from_string(template).render(run=run)


@task(task_run_name="tell-console")
def tell_console(run: Run) -> None:
    """Print the message in the terminal."""
    Console(width=max(110, Console().width)).print(Markdown(message(run)))


@task(task_run_name="publish-artifact")
def publish_artifact(run: Run) -> None:
    """Keep the message as the run's Markdown artifact in Prefect."""
    create_markdown_artifact(message(run), key=run.flow, description=f"{run.flow} for {run.ds}")
