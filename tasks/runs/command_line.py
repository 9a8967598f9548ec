"""Flows run by hand: arguments, a check that all systems are in reach, and errors that people can read."""

import argparse
import datetime as dt
import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from pydantic import ValidationError

from blocks.lake_storage import check_writable
from blocks.settings.environment import UnreadableEnvFile
from blocks.settings.failures import PipelineFailure, wrong_configuration
from blocks.settings.settings import Settings
from lake.contract import ContractError
from tasks.ingest.decisions import Decisions
from tasks.ingest.postgres import check_contracts
from tasks.ledger.overrides import check_record, logged_in
from tasks.runs.business_day import whole_range
from tasks.runs.console import quiet_logs
from tasks.runs.temporary_server import await_temporary_server
from tasks.warehouse.access import check_warehouse


def run_from_command_line(flow: Callable[[dt.date | None], object], reads_shop: bool = True) -> None:
    """Run `flow` for the day named on the command line; exit 1 with one sentence if it fails.

    A flow that `reads_shop` does not begin if the shop's database cannot be read.
    """
    parser = argparse.ArgumentParser(description=flow.__doc__)
    parser.add_argument(
        "ds", nargs="?", type=business_date, help="business day, YYYY-MM-DD (default: yesterday)"
    )
    day = parser.parse_args().ds
    run_checked(check_reach if reads_shop else check_folders, partial(flow, day))


DecidedFlow = Callable[[dt.date | None, Decisions | None], object]


def run_daily_from_command_line(flow: DecidedFlow) -> None:
    """Run `flow` for a day, with the decisions on the command line; exit 1 with one sentence if it fails."""
    parser = _decision_parser(flow)
    parser.add_argument(
        "--accept-deletes", action="append", default=[], metavar="TABLE", help="its mass delete is meant"
    )
    parser.add_argument(
        "--reread",
        action="append",
        default=[],
        metavar="TABLE[:COLUMN=VALUE,…]",
        help="read these rows again, whatever their cursor says",
    )
    _run_decided(parser, flow, check_reach)


def run_rebuild_from_command_line(flow: Callable[..., object]) -> None:
    """Run `flow`, which does not read the shop, for a range of days or all, as the command line decides."""
    parser = _decision_parser(flow)
    parser.add_argument("--first", type=business_date, help="rebuild the rows of this day and later ones")
    parser.add_argument("--last", type=business_date, help="up to this day")
    _run_decided(parser, flow, check_folders)


def _decision_parser(flow: DecidedFlow) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=flow.__doc__)
    parser.add_argument(
        "ds", nargs="?", type=business_date, help="business day, YYYY-MM-DD (default: yesterday)"
    )
    parser.add_argument(
        "--accept-failed",
        action="append",
        default=[],
        metavar="NAME",
        help="go on although the suite of this table or mart, or this dbt test, fails",
    )
    _add_record(parser)
    return parser


def _add_record(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", default="", help="why; goes on record with a decision")
    parser.add_argument("--person", default=logged_in(), help="who; goes on record (default: %(default)s)")


def _run_decided(
    parser: argparse.ArgumentParser, flow: Callable[..., object], check_systems: Callable[[], object]
) -> None:
    options = vars(parser.parse_args())
    ds = options.pop("ds")
    days = [options.pop(name) for name in ("first", "last") if name in options]
    decisions = Decisions(**options)

    def check() -> None:
        decisions.check()
        whole_range(*(days or (None, None)))
        check_systems()

    run_checked(check, partial(flow, ds, decisions if decisions.texts else None, *days))


def run_inventory_from_command_line(flow: Callable[[float, bool, str, str], object]) -> None:
    """Run `flow` as the options of the command line say; exit 1 with one sentence if it fails."""
    parser = argparse.ArgumentParser(description=flow.__doc__)
    parser.add_argument(
        "--follow-minutes", type=float, default=0, metavar="N", help="go on as events come, for so long"
    )
    parser.add_argument(
        "--accept-loss", action="store_true", help="go on even if Kafka has lost events that the lake lacks"
    )
    _add_record(parser)
    options = parser.parse_args()
    given = (options.follow_minutes, options.accept_loss, options.reason, options.person)

    def check() -> None:
        if options.accept_loss:
            check_record("an accepted loss", options.reason, options.person)
        check_folders()

    run_checked(check, partial(flow, *given))


def run_checked(check: Callable[[], object], run: Callable[[], object]) -> None:
    """Check that what a flow needs is in reach, then run it; exit 1 with one sentence if it fails."""
    quiet_logs()
    # All is imported (flows/__init__.py). After one search for garbage none goes through it any more, nor do
    # those at the process's end.
    gc.collect()
    gc.freeze()
    gc.enable()
    with failures_in_words():
        check()
        await_temporary_server()
        run()


@contextmanager
def failures_in_words() -> Iterator[None]:
    """Exit 1 with one sentence, and no traceback, at a failure that was foreseen."""
    try:
        yield
    except (PipelineFailure, ContractError, UnreadableEnvFile) as failure:
        sys.exit(f"error: {failure}")
    except ValidationError as error:
        sys.exit(wrong_configuration(error))


def check_reach() -> None:
    """Try the shop's database, its tables, the lake and the warehouse before a run starts.

    A scheduled run retries for ten minutes; a person at a terminal needs the answer now.
    Raises PipelineFailure.
    """
    check_contracts.fn(Settings())
    check_folders()


def check_folders() -> None:
    """Try to write where the platform writes. Raises PermanentFailure."""
    settings = Settings()
    check_writable("LAKE_URI", settings.lake_uri)
    check_warehouse(settings)


def business_date(text: str) -> dt.date:
    """A day as it stands on a command line. Raises ArgumentTypeError."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date; write it as YYYY-MM-DD") from None
