"""Commands that show what they would do, and do it with `--run` only: what a person sees, and how they end."""

import datetime as dt
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tasks.ingest.clickstream import extract_clickstream
from tasks.ingest.postgres import extract_table
from tasks.runs import backfill_command, replay_command
from tasks.runs.backfill_command import run_backfill_from_command_line
from tasks.runs.replay_command import run_replay_from_command_line
from tasks.transform.spark import flag_rows, write_silver
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, customer, order, product, put

Call = Callable[..., str]
called: list[tuple[Any, ...]] = []


@pytest.fixture
def call(platform: Platform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """A function (command, *arguments) that calls a command on a shop with a rejected order; gives what it prints."""
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", order(1), order(41, amount=Decimal(0)))
    called.clear()
    for module in (backfill_command, replay_command):
        # What is run has tests of its own, with a server.
        monkeypatch.setattr(module, "run_checked", lambda check, run: run())
    monkeypatch.setenv("COLUMNS", "120")

    def calling(command: Callable[[Any], None], *arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        command(lambda *given: called.append(given))
        return capsys.readouterr().out

    return calling


def test_a_backfill_is_shown_then_run_then_there_is_nothing_to_do(call: Call) -> None:
    shown = call(run_backfill_from_command_line, str(DAY), str(DAY))
    assert "1 of 1 days to do: 4 rows, 0 click files of 0 bytes." in shown
    assert f"Nothing was changed. To do it: python -m flows.backfill {DAY} {DAY} --run" in shown
    assert called == []
    call(run_backfill_from_command_line, str(DAY), str(DAY), "--run")
    assert called == [(DAY, DAY, False)]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        pytest.param(
            [str(DAY), "2024-03-03"],
            "error: 2024-03-04 is after 2024-03-03; give the earlier",
            None,
            id="order",
        ),
        pytest.param(
            [str(DAY), "tomorrow"], 2, "'tomorrow' is not a date; write it as YYYY-MM-DD", id="no date"
        ),
    ],
)
def test_a_range_that_is_none_ends_the_command(
    call: Call, arguments: list[str], code: int | str, says: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        call(run_backfill_from_command_line, *arguments)
    assert str(end.value.code).startswith(str(code))
    assert (says or "") in capsys.readouterr().err


def test_a_replay_is_shown_exported_and_run(call: Call, tmp_path: Path) -> None:
    assert "quarantine.orders has no such row: nothing to replay." in call(
        run_replay_from_command_line, "--table", "orders"
    )
    extract_table.fn("orders", DAY, *here())
    extract_clickstream.fn(DAY, *here())
    write_silver.fn(flag_rows.fn("orders", *here()), *here())

    shown = call(run_replay_from_command_line, "--table", "orders")
    assert f"{DAY}  amount_in_range     1  waits for a fix" in shown
    assert "0 of 1 rows will leave quarantine.orders." in shown
    assert 'Nothing was changed. To do it, add: --run --why "…"' in shown

    file = tmp_path / "orders.csv"
    printed = call(run_replay_from_command_line, "--table", "orders", "--export", str(file))
    assert printed == f"1 rows that wait are in {file}.\n"
    file.write_text(file.read_text().replace(",0.00,", ",5.00,"))
    patch = ["--table", "orders", "--patch", str(file), "--day", str(DAY)]
    assert "1 of 1 rows will leave quarantine.orders." in call(run_replay_from_command_line, *patch)
    assert called == []
    call(run_replay_from_command_line, *patch, "--person", "ada", "--why", "as on the invoice", "--run")
    [(selection, why, person, file_name, dry_run)] = called
    assert (selection.table, selection.reasons, selection.days) == ("orders", (), (DAY,))
    assert (why, person, file_name, dry_run) == ("as on the invoice", "ada", str(file), False)


def test_a_replay_that_cannot_be_ends_in_one_sentence(call: Call) -> None:
    with pytest.raises(SystemExit) as end:
        call(run_replay_from_command_line, "--table", "order")
    assert str(end.value.code).startswith(
        "error: --table order: there is no such table; there are customers, "
    )
    with pytest.raises(SystemExit) as end:
        call(run_replay_from_command_line, "--table", "orders", "--patch", "no.csv", "--run", "--why", "x")
    assert str(end.value.code).startswith("error: --patch no.csv cannot be read as CSV in UTF-8: ")


def test_a_replay_that_nobody_gives_a_reason_for_does_not_begin(call: Call) -> None:
    with pytest.raises(SystemExit) as end:
        call(run_replay_from_command_line, "--table", "orders", "--run", "--why", " ")
    assert end.value.code == 'error: a replay goes on record: say why with --why "…"'
    assert called == []


def test_a_day_of_today_is_not_over(call: Call) -> None:
    today = dt.datetime.now(dt.UTC).date()
    with pytest.raises(SystemExit) as end:
        call(run_backfill_from_command_line, str(DAY), str(today))
    assert f"{today} is not over yet in UTC" in str(end.value.code)
