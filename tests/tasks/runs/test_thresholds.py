"""Thresholds that settings make looser than their defaults, on record with who and why; and accepted losses."""

import sys
from functools import partial

import pytest

from tasks.ledger.overrides import overrides
from tasks.runs.command_line import run_inventory_from_command_line
from tasks.runs.thresholds import looser_thresholds, record_thresholds
from tests.support.alerts import ended
from tests.support.platforms import Platform, here, lake_here


def record() -> list[str]:
    """What a run records now; returns its remarks."""
    run = ended("running")
    record_thresholds(run, *here())
    return run.remarks


def test_defaults_and_stricter_thresholds_are_no_override(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASS_DELETE_ROWS", "5")
    monkeypatch.setenv("QUALITY_MINIMUM", "0.99")
    assert looser_thresholds(here()[0]) == {}
    assert record() == []
    assert overrides(lake_here()) == []


def test_a_looser_one_is_on_record_once_until_it_is_back(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARANTINE_THRESHOLD", "0.2")
    monkeypatch.setenv("SUCCESS_WITHIN", "PT50H")
    remarks = record()
    assert len(remarks) == 2
    assert remarks[0] == (
        "QUARANTINE_THRESHOLD is 0.2 in place of 0.05: say who and why in THRESHOLDS_PERSON and THRESHOLDS_REASON"
    )
    assert {(each.subject, each.person, each.reason) for each in overrides(lake_here())} == {
        ("QUARANTINE_THRESHOLD", "none given", "none given"),
        ("SUCCESS_WITHIN", "none given", "none given"),
    }

    monkeypatch.setenv("THRESHOLDS_PERSON", "ada")
    monkeypatch.setenv("THRESHOLDS_REASON", "the old shop's last week")
    assert [record(), record()] == [[], []]
    table = lake_here().table("ops.overrides")
    assert table is not None
    assert table.to_pyarrow_table().num_rows == 4
    assert {each.reason for each in overrides(lake_here())} == {"the old shop's last week"}

    monkeypatch.delenv("QUARANTINE_THRESHOLD")
    record()
    ended_by = {each.subject: each.ended_by for each in overrides(lake_here())}
    assert ended_by == {"QUARANTINE_THRESHOLD": "the setting", "SUCCESS_WITHIN": None}


@pytest.mark.parametrize(
    ("options", "remedy"),
    [([], 'say why with --reason "…"'), (["--reason", "x", "--person", ""], "say who with --person NAME")],
)
def test_an_accepted_loss_without_who_and_why_is_refused(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, options: list[str], remedy: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["inventory", "--accept-loss", *options])
    called: list[object] = []
    with pytest.raises(SystemExit, match=remedy):
        run_inventory_from_command_line(partial(called.append))  # type: ignore[arg-type]
    assert called == []
