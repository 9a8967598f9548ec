"""What a person on call decides, through the command: on record, shown, refused without a reason."""

import datetime as dt
import sys
from collections.abc import Callable

import duckdb
import pytest

import flows.status as flows_status
from blocks.settings.failures import PermanentFailure
from tasks.alerts.verdict import record_outcome
from tasks.ledger.overrides import overrides
from tasks.ledger.warehouse_copy import copy_to_warehouse
from tasks.monitoring.on_call import declare_maintenance, snooze
from tests.support.alerts import alert
from tests.support.platforms import Platform, here, lake_here
from tests.support.rows import DAY, at

NOON = at(DAY)
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, platform: Platform, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call the command as a person does; returns (exit code, output, errors)."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(flows_status, "quick_settings", lambda: here()[0])

    def called(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["status", *arguments])
        code = flows_status.main()
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


def test_a_snooze_is_on_record_shown_and_ended_early(call: Call) -> None:
    code, said, _ = call("--snooze", "low-quality", "3d", "--why", "a known import", "--person", "ada")
    assert code == 0
    [made] = overrides(lake_here())
    assert f"To end it: python -m flows.status --end {made.override_id}" in said
    assert (made.kind, made.subject, made.person, made.reason) == (
        "snooze",
        "low-quality",
        "ada",
        "a known import",
    )
    assert made.ends_at is not None
    assert made.ends_at - made.starts_at == dt.timedelta(days=3)

    _, screen, _ = call()
    assert "Overrides that stand" in screen
    assert made.override_id in screen

    assert call("--end", made.override_id, "--why", "done", "--person", "bob")[0] == 0
    [ended] = overrides(lake_here())
    assert (ended.person, ended.ended_by, ended.ended_why) == ("ada", "bob", "done")
    assert not ended.is_active(dt.datetime.now(dt.UTC))

    # The warehouse has it as it stands; the lake has every word.
    copy_to_warehouse(*here())
    with duckdb.connect(here()[0].duckdb_path, read_only=True) as connection:
        found = connection.execute("select person, reason, ended_by from ops.overrides").fetchall()
    assert found == [("ada", "a known import", "bob")]
    assert lake_here().table("ops.overrides").to_pyarrow_table().num_rows == 2  # type: ignore[union-attr]


def test_an_open_trouble_is_shown_and_acknowledged(call: Call) -> None:
    refused = call("--acknowledge", "stock-low", "--why", "ordered")
    assert refused[0] == 2
    assert "no open trouble is called stock-low; open are: none" in refused[2]
    given = alert(kind="stock-low", flow="inventory", troubles=["stock: Mug (7) is low"])
    record_outcome(given, lake_here(), "told")
    assert "stock: Mug (7) is low" in call()[1]
    code, said, _ = call("--acknowledge", "mug", "--why", "ordered", "--person", "ada")
    assert (code, said.startswith("acknowledge stock: Mug (7) is low (ada: ordered)")) == (0, True)


def test_a_window_says_what_it_cannot_silence(call: Call) -> None:
    code, said, _ = call("--maintenance", "now", "6h", "--why", "a move", "--person", "ada")
    assert code == 0
    assert "PREFECT_API_URL is not set" in said
    assert "What is critical is told all the same." in said


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        pytest.param(["--snooze", "low-quality", "3d"], "say why with --why", id="no reason"),
        pytest.param(
            ["--snooze", "low-quality", "3d", "--why", "x", "--person", " "], "say who with", id="nobody"
        ),
        pytest.param(["--snooze", "low-quality", "soon", "--why", "x"], "'soon' is no span", id="no span"),
        pytest.param(
            ["--snooze", "noise", "3d", "--why", "x"], "no alert noise; there are run-failed", id="kind"
        ),
        pytest.param(["--snooze", "run-failed-twice", "3d", "--why", "x"], "always come", id="critical"),
        pytest.param(["--snooze", "run-slow", "3d", "--why", "x"], "alertname=RunSlow", id="Alertmanager's"),
        pytest.param(
            ["--snooze", "run-late", "3d", "--why", "x"], "name it in PREFECT_API_URL", id="server's"
        ),
        pytest.param(["--end", "snooze-1", "--why", "x"], "nothing that stands is called snooze-1", id="end"),
        pytest.param(["--maintenance", "dawn", "6h", "--why", "x"], "'dawn' is no time", id="no time"),
        pytest.param(
            ["--maintenance", "2024-01-15T22:00", "2024-01-15T21:00", "--why", "x"], "it would end", id="past"
        ),
    ],
)
def test_what_cannot_be_decided_is_refused(call: Call, arguments: list[str], problem: str) -> None:
    given = arguments if "--person" in arguments else [*arguments, "--person", "ada"]
    code, _, said = call(*given)
    assert code == 2
    assert problem in said
    assert overrides(lake_here()) == []


def test_times_are_the_shops(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TIMEZONE", "Asia/Kolkata")
    settings, lake = here()
    window = declare_maintenance(
        lake, "2024-03-05T02:00", "2024-03-05T08:00", settings.shop_timezone, "why", "ada", NOON
    )
    assert (window.starts_at, window.ends_at) == (at(DAY, 20, 30), at(DAY + dt.timedelta(days=1), 2, 30))


@pytest.mark.parametrize(("hours", "stands"), [(-1, False), (0, True), (71.9, True), (72, False)])
def test_a_snooze_ends_by_itself(platform: Platform, hours: float, stands: bool) -> None:
    made = snooze(lake_here(), "low-quality", "3d", "why", "ada", NOON)
    assert made.is_active(NOON + dt.timedelta(hours=hours)) is stands


def test_refusals_name_the_remedy_also_without_the_command(platform: Platform) -> None:
    with pytest.raises(PermanentFailure, match="say why"):
        snooze(lake_here(), "low-quality", "3d", " ", "ada", NOON)
