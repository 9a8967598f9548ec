"""`python -m flows.restore`: shows what a restore would do; with `--run` it is done."""

import argparse
import datetime as dt
from collections.abc import Callable
from functools import partial

from rich.console import Console

from blocks.settings.settings import Settings
from lake.delta import Lake
from tasks.ledger.overrides import check_record, logged_in
from tasks.restore.damage import damaged_tables
from tasks.restore.plan import plan_restore
from tasks.restore.request import SOURCES, Restoration
from tasks.restore.screen import show, show_state
from tasks.runs.command_line import check_folders, check_reach, failures_in_words, run_checked


def run_restore_from_command_line(flow: Callable[[Restoration, str, str, bool], object]) -> None:
    """Show the plan, or without one which tables are damaged; run `flow` if that is asked for.

    Exit 1 with one sentence if it fails.
    """
    asked = _parser(flow.__doc__).parse_args()
    console = Console()
    with failures_in_words():
        settings = Settings()
        lake = Lake(settings.lake_uri)
        if not asked.what:
            show_state(damaged_tables(lake), lake.folders(), console)
            return
        at = asked.at.replace(tzinfo=asked.at.tzinfo or settings.shop_timezone) if asked.at else None
        wanted = Restoration.of(asked.what, asked.source, asked.version, at)
        if asked.run:
            check_record("a restore", asked.why, asked.person, "--why")
        plan = plan_restore(wanted, settings, lake)
    show(plan, console)
    if not asked.run:
        again = f'{wanted.command} --why "…" --run'
        console.print(f"Nothing was changed. To do it: {again}", soft_wrap=True, highlight=False)
        return
    check = check_reach if wanted.is_of_bronze else check_folders
    run_checked(check, partial(flow, wanted, asked.why, asked.person, False))


def _parser(description: str | None) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m flows.restore", description=description)
    parser.add_argument("what", nargs="?", help="a table, such as silver.orders; lake; or warehouse")
    sources = list(dict.fromkeys(source for each in SOURCES.values() for source in each))
    parser.add_argument("--from", dest="source", choices=sources, help="where its content comes from")
    parser.add_argument("--version", type=int, help="of the Delta table's history")
    parser.add_argument(
        "--at", type=dt.datetime.fromisoformat, help="a moment of its history, in the shop's time zone"
    )
    parser.add_argument("--run", action="store_true", help="do it; without, nothing is changed")
    parser.add_argument("--why", default="", help="goes on record")
    parser.add_argument("--person", default=logged_in(), help="who; goes on record (default: %(default)s)")
    return parser
