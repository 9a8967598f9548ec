"""Patch files: what an export holds, what is taken of it, and which line is refused for what."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from blocks.settings.failures import DataFailure, PermanentFailure
from lake.quarantine import PATCH, SOURCE
from tasks.replay.patch import export, read_patch
from tasks.replay.selection import Selection
from tests.support.platforms import Platform, here, lake_here
from tests.support.rows import DAY, at, click

ORDERS, CLICKS = Selection(table="orders"), Selection(table="clickstream")
NOW = dt.datetime(2024, 3, 5, 6, tzinfo=dt.UTC)


@pytest.fixture
def file(quarantined: Platform, tmp_path: Path) -> Path:
    """An export of all rejected orders, ordered by order_id."""
    path = tmp_path / "orders.csv"
    assert export(path, lake_here(), "orders", ORDERS.rows(lake_here())) == 4
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *sorted(rows, key=lambda row: row.split(",")[2])]) + "\n")
    return path


def patched(file: Path, selection: Selection = ORDERS, **fixes: str) -> list[dict]:
    rows = selection.rows(lake_here())
    return read_patch(file, rows, fixes, selection.table, *here(), NOW).to_pylist()


def changed(file: Path, *changes: tuple[str, str]) -> None:
    text = file.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)


RIGHT = [
    (",0.00,1,pending", ",9.99,1,pending"),
    (",10.00,1,lost", ",10.00,1,shipped"),
    (",7.50,0,", ",7.50,1,"),
    (",2024-03-04,,1,", ",2024-03-04,8.00,1,"),
]


def test_an_export_holds_each_row_as_it_is_and_why_it_was_rejected(file: Path) -> None:
    lines = [line.split(",", 1)[1] for line in file.read_text().splitlines()]
    assert lines == [
        "reason,order_id,customer_id,product_id,order_date,amount,quantity,status,updated_at,order_number",
        "amount_in_range,41,1,1,2024-03-04,0.00,1,pending,2024-03-04T12:00:00+00:00,",
        "status_known,42,1,1,2024-03-04,10.00,1,lost,2024-03-04T13:00:00+00:00,",
        "quantity_in_range,43,1,1,2024-03-04,7.50,0,pending,2024-03-04T12:00:00+00:00,",
        "amount_readable,44,1,1,2024-03-04,,1,pending,2024-03-04T12:00:00+00:00,",
    ]


def test_a_right_patch_is_a_newer_version_of_each_row(file: Path) -> None:
    changed(file, *RIGHT)
    rows = {row["order_id"]: row for row in patched(file)}
    assert [rows[key]["amount"] for key in (41, 44)] == [Decimal("9.99"), Decimal("8.00")]
    assert (rows[42]["status"], rows[43]["quantity"]) == ("shipped", 1)
    assert rows[42]["updated_at"] == at(DAY, 13)
    for row in rows.values():
        assert (row["read_at"], row["deleted_at"], row["unreadable"]) == (NOW, None, None)
        assert row["replay_of"] == f"patch {row['quarantine_id']}"


def test_columns_that_the_file_leaves_out_stay(file: Path) -> None:
    ids = [line.split(",")[0] for line in file.read_text().splitlines()]
    file.write_text(f"quarantine_id,amount\n{ids[1]},3.00\n")
    [row] = patched(file)
    assert (row["amount"], row["quantity"], row["status"]) == (Decimal("3.00"), 1, "pending")


def test_every_row_that_is_refused_is_named_with_file_and_line(file: Path) -> None:
    with pytest.raises(DataFailure) as failure:
        patched(file)
    assert str(failure.value) == (
        f"the patch is refused: {file}, line 2: breaks the rule amount_in_range; {file}, line 3: breaks the rule "
        f"status_known; {file}, line 4: breaks the rule quantity_in_range; {file}, line 5: breaks the rule "
        "amount_readable. Nothing was replayed"
    )


# What is changed in a right patch, and what is said of it.
REFUSED = [
    (",9.99,", ",nine,", "line 2: amount nine is no numeric(12,2)"),
    (",9.99,", ",9.999,", "line 2: amount 9.999 is no numeric(12,2)"),
    (",9.99,", ",-1,", "line 2: breaks the rule amount_in_range"),
    (",9.99,1,pending", ",9.99,1,", "line 2: breaks the rule status_known"),
    (",41,", ",1,", "line 2: order_id is 41: no patch may change it"),
    ("T12:00:00", "T12:00:01", "line 2: updated_at is 2024-03-04 12:00:00+00:00: no patch may change it"),
    ("status_known,42", "status_known,42", None),
]


def test_a_row_that_cannot_be_taken_refuses_the_file(file: Path) -> None:
    changed(file, *RIGHT)
    right = file.read_text()
    for old, new, refused in REFUSED:
        file.write_text(right)
        changed(file, (old, new))
        if refused is None:
            assert len(patched(file)) == 4
            continue
        with pytest.raises(DataFailure) as failure:
            patched(file)
        assert str(failure.value).startswith(f"the patch is refused: {file}, {refused}")
    last = right.splitlines()[-1]
    file.write_text(f"{right}{last}\nnobody{last[last.index(',') :]}\n")
    with pytest.raises(DataFailure) as failure:
        patched(file)
    assert f"line 6: no selected row is {last.split(',')[0]}, or a line above has it; " in str(failure.value)
    assert "line 7: no selected row is nobody" in str(failure.value)


# What becomes of a file, and what is said of it.
NO_PATCH: list[tuple[Callable[[str], str], str]] = [
    (lambda text: text.replace("quantity,", "pieces,"), "line 1: its columns are"),
    (lambda text: text.replace("quarantine_id", "id"), "needs quarantine_id"),
    (lambda text: "", "line 1: its columns are none"),
    (lambda text: text.replace(",lost,", ",lost,lost,"), "line 3: its cells are not"),
    (lambda text: text.replace(",lost", ""), "line 3: its cells are not"),
]


def test_a_file_that_is_no_patch_is_refused(file: Path) -> None:
    text = file.read_text()
    for broken, says in NO_PATCH:
        file.write_text(broken(text))
        with pytest.raises(PermanentFailure, match=says):
            patched(file)


def test_a_file_that_cannot_be_read_is_refused(quarantined: Platform, tmp_path: Path) -> None:
    with pytest.raises(
        PermanentFailure, match=r"--patch .*none.csv cannot be read as CSV in UTF-8: .*No such file"
    ):
        patched(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes(b"quarantine_id\n\xe4")
    with pytest.raises(PermanentFailure, match=r"latin.csv cannot be read as CSV in UTF-8: .*decode"):
        patched(tmp_path / "latin.csv")


def test_a_row_that_is_patched_is_left_out_and_one_that_is_replaced_refused(file: Path) -> None:
    changed(file, *RIGHT)
    ids = [line.split(",")[0] for line in file.read_text().splitlines()]
    assert [row["order_id"] for row in patched(file, **{ids[1]: PATCH, ids[2]: PATCH})] == [43, 44]
    with pytest.raises(DataFailure, match="line 3: the row needs no patch: it is replaced"):
        patched(file, **{ids[2]: SOURCE})


def test_a_line_of_clicks_and_a_part_of_one_are_patched_as_lines(
    quarantined: Platform, tmp_path: Path
) -> None:
    path = tmp_path / "clicks.csv"
    assert export(path, lake_here(), "clickstream", CLICKS.rows(lake_here())) == 2
    assert '"{""event_id"": ""p2""}"' in path.read_text()
    header, *lines = path.read_text().splitlines()
    with pytest.raises(DataFailure, match="line 2: breaks the rule"):
        patched(path, CLICKS)
    mended = click("mended").replace('"', '""')
    path.write_text("\n".join([header, *(f'{line.split(",")[0]},,"{mended}"' for line in lines)]) + "\n")
    rows = sorted(patched(path, CLICKS), key=lambda row: row["line_number"])
    assert [(row["source_file"], row["line_number"], row["raw"]) for row in rows] == [
        (f"{DAY}/part-0.jsonl", number, click("mended")) for number in (2, 3)
    ]
    assert [row["source_version"] for row in rows] == [f"patch {row['quarantine_id']}" for row in rows]
