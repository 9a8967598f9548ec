"""A load in parts: the tables and counts of one in a piece, whatever comes in which part."""

import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lake.delta import Lake
from lake.row_counts import RowCounts
from spark_jobs.silver import parts
from spark_jobs.silver.jobs import silver_job
from tests.support.rows import DAY, at, click, order
from tests.support.spark_tables import clicks, run, table, write_bronze

READ = at(DAY, 18)


def write_clicks(lake: Lake) -> None:
    # Of `a` a later part holds the earlier occurrence, of `b` the same again, of `c` a later one.
    early, late = at(DAY, 9).isoformat(), at(DAY, 10).isoformat()
    for number, lines in enumerate(
        [
            [click("a", timestamp=late), click("b"), click("b"), "no event"],
            [click("a", timestamp=early), click("c", timestamp=early), click("d")],
            [click("b"), click("c", timestamp=late), click("d", user_id=None)],
        ]
    ):
        write_bronze(lake, "clickstream", clicks(*lines, source_file=f"2024-03-04/part-{number}.jsonl"))


def write_orders(lake: Lake) -> None:
    versions = [order(1), order(1, amount=Decimal("11.00")), order(2), order(1, amount=Decimal("12.00"))]
    for number, version in enumerate(versions):
        read = {"read_at": READ + timedelta(hours=number), "updated_at": at(DAY, 10 + number)}
        write_bronze(
            lake, "orders", [version | read, order(10 + number, **read), order(5, quantity=0, **read)]
        )


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("name", "write", "expected"),
    [
        (
            "clickstream",
            write_clicks,
            RowCounts("clickstream", 10, 4, 4, {"line_is_event": 1, "user_id_not_null": 1}),
        ),
        ("orders", write_orders, RowCounts("orders", 12, 6, 2, {"quantity_in_range": 4})),
    ],
)
def test_a_first_load_in_parts_equals_one_in_a_piece(
    sail: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    write: Callable[[Lake], None],
    expected: RowCounts,
    full: bool,
) -> None:
    outcomes = []
    for size in (parts.PART_BYTES, 1):
        monkeypatch.setattr(parts, "PART_BYTES", size)
        lake = Lake(f"file://{tmp_path}/{size}")
        write(lake)
        assert run(sail, lake, silver_job(name), full=full) == expected
        outcomes.append([table(sail, lake, f"{layer}.{name}") for layer in ("silver", "quarantine")])
    assert outcomes[0] == outcomes[1]
    assert len(outcomes[0][0]) == expected.rows_out


def test_parts_are_in_the_order_of_writing_and_not_above_their_size(
    sail: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = []
    for number, (name, size) in enumerate({"d": 40, "a": 60, "c": 150, "b": 10, "e": 90}.items()):
        path = tmp_path / name
        path.write_bytes(b"x" * size)
        os.utime(path, (number, number))
        files.append(f"file://{path}")
    monkeypatch.setattr(parts, "PART_BYTES", 100)
    named = [[Path(file).name for file in part] for part in parts.in_parts(sail, sorted(files))]
    assert named == [["d", "a"], ["c"], ["b", "e"]]


def test_no_files_are_one_part(sail: SparkSession) -> None:
    assert parts.in_parts(sail, []) == [[]]
