"""`python -m flows.backfill`: shows the plan; with `--run` it is run."""

import argparse
import datetime as dt
from collections.abc import Callable
from functools import partial

from rich.console import Console

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.backfill.plan import plan_backfill
from tasks.backfill.screen import show
from tasks.runs.command_line import business_date, check_reach, failures_in_words, run_checked


def run_backfill_from_command_line(flow: Callable[[dt.date, dt.date, bool], object]) -> None:
    """Show the plan for the range on the command line, and run `flow` if that is asked for and needed.

    Exit 1 with one sentence if it fails.
    """
    parser = argparse.ArgumentParser(prog="python -m flows.backfill", description=flow.__doc__)
    parser.add_argument("first", type=business_date, help="the first business day, YYYY-MM-DD")
    parser.add_argument("last", type=business_date, help="the last one")
    parser.add_argument("--run", action="store_true", help="do it; without, nothing is changed")
    asked = parser.parse_args()
    console = Console()
    with failures_in_words():
        settings = Settings()
        plan = plan_backfill(asked.first, asked.last, settings, Lake(settings.lake_uri))
    show(plan, console)
    if plan.is_done:
        return
    if not asked.run:
        again = f"python -m flows.backfill {asked.first} {asked.last} --run"
        console.print(f"Nothing was changed. To do it: {again}", soft_wrap=True, highlight=False)
        return
    run_checked(check_reach, partial(flow, asked.first, asked.last, False))
