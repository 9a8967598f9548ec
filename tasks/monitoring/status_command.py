"""`python -m flows.status`: shows the status, or records what the person on call has decided."""

import argparse
import datetime as dt

from rich.console import Console

from blocks.settings.environment import PrefectAddress
from blocks.settings.failures import PermanentFailure
from blocks.settings.settings import EnvironmentSettings
from lake.delta import Lake
from tasks.ledger.overrides import SNOOZE, WINDOW, Override, logged_in
from tasks.monitoring.on_call import SERVER_RULES, acknowledge, declare_maintenance, end_early, snooze

EXAMPLE = 'python -m flows.status --end {} --why "…"'


def parser(description: str | None) -> argparse.ArgumentParser:
    """The command line; without a decision the status is shown."""
    made = argparse.ArgumentParser(
        prog="python -m flows.status",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--json", action="store_true", help="for programs")
    decision = made.add_mutually_exclusive_group()
    decision.add_argument(
        "--snooze", nargs=2, metavar=("KIND[/FLOW]", "SPAN"), help="do not tell of it for 3d, 12h or 90m"
    )
    decision.add_argument(
        "--acknowledge", metavar="KIND|WORDS", help="you are on it: no reminders until the trouble is over"
    )
    decision.add_argument(
        "--maintenance",
        nargs=2,
        metavar=("START", "END"),
        help="do not tell of runs and data that are missing then; now or a time, and a time or a span",
    )
    decision.add_argument("--end", metavar="ID", help="end a snooze, an acknowledgement or a window early")
    made.add_argument("--why", default="", help="goes on record with a decision")
    made.add_argument("--person", default=logged_in(), help="who; goes on record (default: %(default)s)")
    return made


def decide(asked: argparse.Namespace, settings: EnvironmentSettings, console: Console) -> bool:
    """Record the decision on the command line and say so; returns whether there was one.

    Raises PermanentFailure if it has no reason, or is about nothing there is.
    """
    lake, at = Lake(settings.lake_uri), dt.datetime.now(dt.UTC)
    record = (asked.why, asked.person, at)
    if asked.end:
        made = [end_early(lake, asked.end, *record)]
    elif asked.snooze:
        what, span = asked.snooze
        if what in SERVER_RULES and not PrefectAddress().prefect_api_url:
            raise PermanentFailure(f"Prefect's server sends {what}: name it in PREFECT_API_URL")
        made = [snooze(lake, what, span, *record)]
    elif asked.maintenance:
        start, end = asked.maintenance
        made = [declare_maintenance(lake, start, end, settings.shop_timezone, *record)]
    elif asked.acknowledge:
        made = acknowledge(lake, asked.acknowledge, *record)
    else:
        return False
    for each in made:
        console.print(f"{each}", soft_wrap=True, highlight=False, markup=False)
        if not asked.end:
            console.print(f"To end it: {EXAMPLE.format(each.override_id)}", soft_wrap=True, highlight=False)
    _tell_server(made, at, console)
    if not asked.end:
        console.print("What is critical is told all the same.")
    return True


def _tell_server(made: list[Override], at: dt.datetime, console: Console) -> None:
    """Silence what Prefect's server tells by itself as long as the override stands, or no longer."""
    [override, *_] = made
    is_window = override.kind == WINDOW
    if not is_window and not (override.kind == SNOOZE and override.subject in SERVER_RULES):
        return
    if not PrefectAddress().prefect_api_url:
        console.print(
            "PREFECT_API_URL is not set: rules of a Prefect server, as run-late, are not silenced.",
            soft_wrap=True,
        )
        return
    # Imported only now: the status does without Prefect.
    from tasks.alerts.server_rules import OF_WINDOWS, silence, tell_again

    kinds = OF_WINDOWS if is_window else (override.subject,)
    if override.ended_by:
        tell_again(kinds, override)
        return
    silent = ", ".join(silence(kinds, override, at)) or "none: it has no such rules"
    console.print(f"Rules of Prefect's server that are silent meanwhile: {silent}", soft_wrap=True)
