"""`python -m flows.replay`: shows what would become of quarantined rows; with `--run` they are replayed."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.ledger.overrides import check_record, logged_in
from tasks.replay.patch import export
from tasks.replay.plan import ReplayPlan, fixes_so_far, plan_replay, without
from tasks.replay.screen import show
from tasks.replay.selection import Selection
from tasks.runs.command_line import business_date, check_reach, failures_in_words, run_checked


def run_replay_from_command_line(flow: Callable[[Selection, str, str, str, bool], object]) -> None:
    """Show the selected rows, or export them, or run `flow` on them; exit 1 with one sentence if it fails."""
    asked = _parser(flow.__doc__).parse_args()
    console = Console()
    with failures_in_words():
        selection = Selection(table=asked.table, reasons=asked.reason, days=asked.day)
        settings = Settings()
        lake = Lake(settings.lake_uri)
        if asked.run:
            check_record("a replay", asked.why, asked.person, "--why")
        if asked.export:
            selected = selection.rows(lake)
            waiting = without(selected, fixes_so_far(selected, selection, settings, lake))
            rows = export(Path(asked.export), lake, selection.table, waiting)
            console.print(f"{rows:,} rows that wait are in {asked.export}.", highlight=False, soft_wrap=True)
            return
        plan = plan_replay(selection, asked.patch, settings, lake)
    _show_or_run(plan, asked, flow, console)


def _show_or_run(
    plan: ReplayPlan, asked: argparse.Namespace, flow: Callable[..., object], console: Console
) -> None:
    show(plan, console)
    if asked.run and plan.rows:
        run_checked(check_reach, partial(flow, plan.selection, asked.why, asked.person, asked.patch, False))
    elif plan.rows:
        console.print('Nothing was changed. To do it, add: --run --why "…"', highlight=False)


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.replay", description=description)
    parser.add_argument("--table", required=True, help="whose quarantine")
    parser.add_argument(
        "--reason", action="append", default=[], help="only rows rejected for it; may be repeated"
    )
    parser.add_argument(
        "--day",
        action="append",
        default=[],
        type=business_date,
        help="only rows of this business day, YYYY-MM-DD; may be repeated",
    )
    parser.add_argument(
        "--export", metavar="FILE", default="", help="write the rows that wait as a patch file"
    )
    parser.add_argument("--patch", metavar="FILE", default="", help="a patch file with the rows corrected")
    parser.add_argument("--run", action="store_true", help="do it; without, nothing is changed")
    parser.add_argument("--why", default="", help="goes on record")
    parser.add_argument("--person", default=logged_in(), help="who; goes on record (default: %(default)s)")
    return parser
