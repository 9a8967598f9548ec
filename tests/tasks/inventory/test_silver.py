"""Messages from bronze to silver: which are events, which are rejected and why, and none counted twice."""

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from blocks.settings.environment import REPOSITORY
from lake.catalog import catalog
from lake.delta import Lake
from lake.row_counts import RowCounts
from tasks.inventory.message import SCHEMA
from tasks.inventory.silver import BRONZE, MOST_PIECES, QUARANTINE, RULES, SILVER, row_rules, write_silver
from tasks.inventory.stock_levels import Stock

UTC = ZoneInfo("UTC")
NOON = dt.datetime(2024, 3, 4, 12, tzinfo=dt.UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake that knows products 1 and 2."""
    made = Lake(tmp_path.as_uri())
    write_deltalake(made.uri("silver.products"), pa.table({"product_id": pa.array([1, 2], pa.int64())}))
    return made


def event(event_id: str | None = "e1", **values: Any) -> str:
    return json.dumps(
        {
            "event_id": event_id,
            "product_id": 1,
            "warehouse_id": "north",
            "quantity_change": -2,
            "on_hand": 8,
            "event_time": NOON.isoformat(),
        }
        | values
    )


def arrive(lake: Lake, *raws: str | None, first_offset: int = 0, partition: int = 0) -> None:
    """Messages of the topic, as the consumer writes them."""
    rows = [
        {
            "topic": "inventory",
            "partition": partition,
            "offset": first_offset + number,
            "key": "k",
            "raw": raw,
            "sent_at": NOON + dt.timedelta(seconds=first_offset + number),
        }
        for number, raw in enumerate(raws)
    ]
    write_deltalake(lake.uri(BRONZE), pa.Table.from_pylist(rows, schema=SCHEMA), mode="append")


def rows(lake: Lake, name: str, *columns: str) -> list[tuple]:
    table = lake.table(name)
    assert table
    return sorted(tuple(row[column] for column in columns) for row in table.to_pyarrow_table().to_pylist())


def test_an_event_comes_through_with_its_types(lake: Lake) -> None:
    arrive(lake, event(event_time="2024-03-04T13:00:00.5+01:00"))
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=1, rows_out=1)
    columns = ("event_id", "product_id", "warehouse_id", "quantity_change", "on_hand", "event_at", "offset")
    assert rows(lake, SILVER, *columns) == [
        ("e1", 1, "north", -2, 8, NOON + dt.timedelta(milliseconds=500), 0)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-04T12:00Z",
        "2024-03-04T12:00",
        "2024-03-04 12:00",
        "2024-03-04T13:00+01:00",
        "2024-03-04T13:00+0100",
        "2024-03-04T13:00:00+01",
        "2024-03-04t12:00:00z",
        "2024-03-04T12:00:00,0Z",
        "2024-03-04T12:00:00.000000000000Z",
    ],
)
def test_an_event_time_is_read_in_every_form_that_clicks_have(lake: Lake, text: str) -> None:
    arrive(lake, event(event_time=text))
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=1, rows_out=1)
    assert rows(lake, SILVER, "event_at") == [(NOON,)]


def test_a_number_is_the_id_that_was_written(lake: Lake) -> None:
    numbers = ["10000000000000000000000001", "10000000000000000000000002", "7.10", "7.1", "1e5", "-0", "12"]
    arrive(lake, *(event("n").replace('"n"', n).replace('"north"', f" {n}") for n in numbers))
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=7, rows_out=7)
    assert rows(lake, SILVER, "event_id", "warehouse_id") == sorted((n, n) for n in numbers)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "line_is_event"),
        ("", "line_is_event"),
        ("{", "line_is_event"),
        ("[1]", "line_is_event"),
        ('"text"', "line_is_event"),
        ("\\xff\\xfe", "line_is_event"),
        (event(None), "event_id_not_null"),
        (event(" "), "event_id_not_null"),
        (event("\u2003\n"), "event_id_not_null"),
        ("{}", "event_id_not_null"),
        (event(product_id="1"), "product_id_is_integer"),
        (event(product_id=1.5), "product_id_is_integer"),
        (event(product_id=10**20), "product_id_is_integer"),
        (event(warehouse_id=None), "warehouse_id_not_null"),
        (event(quantity_change="many"), "quantity_change_is_integer"),
        (event(quantity_change=10**9 + 1), "quantity_change_in_range"),
        (event(quantity_change=-(10**9) - 1), "quantity_change_in_range"),
        (event(on_hand=None), "on_hand_is_integer"),
        (event(on_hand=8.0), "on_hand_is_integer"),
        (event(on_hand=-1), "on_hand_in_range"),
        (event(on_hand=10**9 + 1), "on_hand_in_range"),
        (event(on_hand=2**63 - 1), "on_hand_in_range"),
        (event(event_time="yesterday"), "event_time_readable"),
        (event(event_time="2024-02-30T00:00:00Z"), "event_time_readable"),
        (event(event_time="12:00"), "event_time_readable"),
        # Spark would not read these either.
        (event(event_time="2024-03-03T24:00:00Z"), "event_time_readable"),
        (event(event_time="2024-03-04T12:00:00+18:01"), "event_time_readable"),
        (event(event_id=7).replace("7", "07"), "line_is_event"),
        (event(event_time=(NOON + dt.timedelta(minutes=6)).isoformat()), "event_time_not_in_future"),
        (event(product_id=3), "product_known"),
    ],
)
def test_a_message_that_is_no_event_is_quarantined_with_its_coordinates_and_the_good_one_beside_it_is_not_lost(
    lake: Lake, raw: str | None, reason: str
) -> None:
    arrive(lake, event("good"), raw, first_offset=40, partition=2)
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=2, rows_out=1, rejected={reason: 1})
    assert rows(lake, SILVER, "event_id") == [("good",)]
    assert rows(lake, QUARANTINE, "reason", "origin", "raw") == [(reason, "inventory/2/41", raw)]


def test_every_rule_has_a_message_that_breaks_it() -> None:
    [marker] = [
        mark
        for mark in test_a_message_that_is_no_event_is_quarantined_with_its_coordinates_and_the_good_one_beside_it_is_not_lost.pytestmark  # type: ignore[attr-defined]
        if mark.name == "parametrize"
    ]
    # The next tests have those that are wrong in the message's own time.
    assert {reason for _, reason in marker.args[1]} == set(row_rules()) - {
        "message_time_readable",
        "message_time_not_in_future",
    }


@pytest.mark.parametrize("sent_at", [None, dt.datetime(1970, 1, 1, tzinfo=dt.UTC)])
def test_a_message_without_a_time_of_its_own_says_so(lake: Lake, sent_at: dt.datetime | None) -> None:
    """As one whose producer counts microseconds; the event's own time says which day it is of."""
    arrive(lake, event("good"))
    bronze = pa.table({"topic": ["inventory"], "partition": pa.array([0], pa.int32()), "offset": [1]})
    for name, value in {"key": None, "raw": event("timeless"), "sent_at": sent_at, "read_at": NOON}.items():
        bronze = bronze.append_column(name, pa.array([value], SCHEMA.field(name).type))
    write_deltalake(lake.uri(BRONZE), bronze.select(SCHEMA.names), mode="append")
    counts = write_silver(lake, UTC)
    assert (counts.rows_out, counts.rejected) == (1, {"message_time_readable": 1})
    assert rows(lake, QUARANTINE, "key", "occurred_at") == [("timeless", NOON)]


def test_an_event_of_a_clock_that_is_years_ahead_does_not_make_later_ones_look_old(lake: Lake) -> None:
    """Its producer's clock is in 2099. A day is forgiven, whichever clock is the wrong one."""
    ahead = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)
    tomorrow = NOON + dt.timedelta(hours=23)
    sent = {"e1": NOON, "e2": ahead, "e3": tomorrow, "e4": NOON}
    arrived = [
        {
            "topic": "inventory",
            "partition": 0,
            "offset": number,
            "raw": event(name, event_time=sent_at.isoformat()),
            "sent_at": sent_at,
            # An older pipeline did not keep it.
            "read_at": NOON if name != "e4" else None,
        }
        for number, (name, sent_at) in enumerate(sent.items())
    ]
    write_deltalake(lake.uri(BRONZE), pa.Table.from_pylist(arrived, schema=SCHEMA), mode="append")
    counts = write_silver(lake, UTC)
    assert (counts.rows_out, counts.rejected) == (3, {"message_time_not_in_future": 1})
    assert sorted(rows(lake, SILVER, "event_id")) == [("e1",), ("e3",), ("e4",)]
    assert rows(lake, QUARANTINE, "key", "occurred_at") == [("e2", ahead)]


def test_bronze_of_an_older_pipeline_gets_its_column(lake: Lake) -> None:
    before = SCHEMA.remove(SCHEMA.get_field_index("read_at"))
    row = {"topic": "inventory", "partition": 0, "offset": 0, "raw": event("e1"), "sent_at": NOON}
    write_deltalake(lake.uri(BRONZE), pa.Table.from_pylist([row], schema=before))
    assert write_silver(lake, UTC).rows_out == 1
    assert write_silver(lake, UTC) == RowCounts("inventory")


def test_the_rules_bounds_are_the_contracts() -> None:
    inventory = catalog()["inventory"]
    assert inventory.column("on_hand").options == {"minimum": 0, "maximum": MOST_PIECES}
    assert inventory.column("quantity_change").options == {"minimum": -MOST_PIECES, "maximum": MOST_PIECES}


def test_no_sum_of_accepted_levels_overflows(lake: Lake) -> None:
    most = [event(f"e{n}", warehouse_id=f"w{n}", on_hand=10**9) for n in range(5)]
    arrive(lake, *most, event("more", on_hand=2**63 - 1))
    assert write_silver(lake, UTC).rejected == {"on_hand_in_range": 1}
    with Stock(lake) as stock:
        assert stock.on_hand() == {1: 5 * 10**9}


def test_a_producers_clock_may_be_a_little_ahead(lake: Lake) -> None:
    arrive(lake, event(event_time=(NOON + dt.timedelta(minutes=4)).isoformat()))
    assert write_silver(lake, UTC).rejected == {}


def test_of_messages_with_one_event_id_the_first_counts_in_one_batch_and_in_two(lake: Lake) -> None:
    arrive(lake, event("e1", on_hand=8), event("e1", on_hand=9), event("e2", on_hand=7))
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=3, rows_out=2, duplicates=1)
    arrive(lake, event("e1", on_hand=10), event("e3", on_hand=6), first_offset=3)
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=2, rows_out=1, duplicates=1)
    assert rows(lake, SILVER, "event_id", "on_hand") == [("e1", 8), ("e2", 7), ("e3", 6)]


def test_writing_again_changes_nothing_and_without_messages_there_is_nothing_to_write(lake: Lake) -> None:
    assert write_silver(lake, UTC) == RowCounts("inventory")
    arrive(lake, event(), "junk")
    write_silver(lake, UTC)
    before = (rows(lake, SILVER, "event_id"), rows(lake, QUARANTINE, "origin"))
    assert write_silver(lake, UTC) == RowCounts("inventory")
    assert (rows(lake, SILVER, "event_id"), rows(lake, QUARANTINE, "origin")) == before


def write_and_crash_before_silver(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    real = write_deltalake

    def crash(table: DeltaTable, *arguments: Any, **named: Any) -> None:
        if table.table_uri.rstrip("/").endswith("silver/inventory"):
            raise KeyboardInterrupt
        real(table, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr("tasks.inventory.silver.write_deltalake", crash)
        with pytest.raises(KeyboardInterrupt):
            write_silver(lake, UTC)


def test_a_crash_between_quarantine_and_silver_is_made_good(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(lake, event(), "junk")
    write_and_crash_before_silver(lake, monkeypatch)
    assert rows(lake, QUARANTINE, "origin") == [("inventory/0/1",)]
    assert write_silver(lake, UTC) == RowCounts(
        "inventory", rows_in=2, rows_out=1, rejected={"line_is_event": 1}
    )
    assert rows(lake, QUARANTINE, "origin") == [("inventory/0/1",)]


@pytest.mark.parametrize("junk", [[], ["junk"]])
def test_of_two_that_write_at_once_one_does(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, junk: list[str]
) -> None:
    arrive(lake, event("e1"), event("e2"), *junk)
    real, outcomes = write_deltalake, []

    def overtaken(table: Any, *arguments: Any, **named: Any) -> None:
        if not outcomes:
            outcomes.append(None)
            outcomes.append(write_silver(lake, UTC))
        real(table, *arguments, **named)

    monkeypatch.setattr("tasks.inventory.silver.write_deltalake", overtaken)
    outcomes.append(write_silver(lake, UTC))
    rejected = {"line_is_event": 1} if junk else {}
    assert outcomes == [
        None,
        RowCounts("inventory", rows_in=2 + len(junk), rows_out=2, rejected=rejected),
        RowCounts("inventory"),
    ]
    assert rows(lake, SILVER, "event_id") == [("e1",), ("e2",)]
    assert rows(lake, QUARANTINE, "raw") == [(each,) for each in junk]


def test_the_day_of_an_event_is_the_shops(lake: Lake) -> None:
    arrive(lake, event(event_time="2024-03-03T23:30:00Z"))
    write_silver(lake, ZoneInfo("Europe/Berlin"))
    assert rows(lake, SILVER, "event_date") == [(dt.date(2024, 3, 4),)]


def test_the_day_of_a_rejected_message_is_the_shops(lake: Lake) -> None:
    arrive(lake, "junk")
    write_silver(lake, ZoneInfo("Pacific/Auckland"))
    assert rows(lake, QUARANTINE, "ds") == [(dt.date(2024, 3, 5),)]


def test_a_machine_elsewhere_comes_to_the_same(lake: Lake) -> None:
    """A time without an offset is UTC, as in the clickstream."""
    arrive(lake, event(event_time="2024-03-04T11:30:00"))
    script = (
        "import sys, zoneinfo; from lake.delta import Lake; from tasks.inventory.silver import write_silver; "
        "write_silver(Lake(sys.argv[1]), zoneinfo.ZoneInfo('UTC'))"
    )
    subprocess.run(
        [sys.executable, "-c", script, lake.root],
        env={**os.environ, "TZ": "America/New_York"},
        cwd=REPOSITORY,
        check=True,
    )
    assert rows(lake, SILVER, "event_at") == [(NOON - dt.timedelta(minutes=30),)]


def test_what_two_batches_became_adds_up() -> None:
    first = RowCounts("inventory", rows_in=3, rows_out=1, duplicates=1, rejected={"line_is_event": 1})
    second = RowCounts("inventory", rows_in=3, rows_out=1, rejected={"line_is_event": 1, "product_known": 1})
    assert first + second == RowCounts(
        "inventory", rows_in=6, rows_out=2, duplicates=1, rejected={"line_is_event": 2, "product_known": 1}
    )


def add_product(lake: Lake, number: int) -> None:
    new = pa.table({"product_id": pa.array([number], pa.int64())})
    write_deltalake(lake.uri("silver.products"), new, mode="append")


def test_what_came_before_its_product_was_known_is_taken_in_when_it_is(lake: Lake) -> None:
    arrive(lake, event("e1"), event("e3", product_id=3), event("e3", product_id=3), event("e1", product_id=3))
    arrive(lake, event("e4", product_id=4), "junk", first_offset=4)
    assert write_silver(lake, UTC).rejected == {"product_known": 4, "line_is_event": 1}
    add_product(lake, 3)
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=3, rows_out=1, duplicates=2)
    assert rows(lake, SILVER, "event_id", "product_id", "offset", "sent_at") == [
        ("e1", 1, 0, NOON),
        ("e3", 3, 1, NOON + dt.timedelta(seconds=1)),
    ]
    left = [("line_is_event", "inventory/0/5"), ("product_known", "inventory/0/4")]
    assert rows(lake, QUARANTINE, "reason", "origin") == left
    assert write_silver(lake, UTC) == RowCounts("inventory")

    add_product(lake, 4)
    arrive(lake, event("e5"), event("e4", product_id=4), first_offset=6)
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=3, rows_out=2, duplicates=1)
    assert rows(lake, SILVER, "event_id", "offset") == [("e1", 0), ("e3", 1), ("e4", 4), ("e5", 6)]
    assert rows(lake, QUARANTINE, "reason") == [("line_is_event",)]


def test_what_a_newer_rule_holds_back_stays_in_quarantine(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(lake, event("e1", product_id=3, on_hand=0))
    write_silver(lake, UTC)
    add_product(lake, 3)
    monkeypatch.setitem(RULES, "on_hand_in_range", "on_hand > 0")
    assert write_silver(lake, UTC).rows_out == 0
    assert rows(lake, QUARANTINE, "origin") == [("inventory/0/0",)]


@pytest.mark.parametrize("step", ["_release", "write_deltalake"])
def test_a_crash_while_what_was_rejected_is_taken_in_is_made_good(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    arrive(lake, event("e1"), event("e3", product_id=3))
    write_silver(lake, UTC)
    add_product(lake, 3)

    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"tasks.inventory.silver.{step}", crash)
        with pytest.raises(KeyboardInterrupt):
            write_silver(lake, UTC)
    write_silver(lake, UTC)
    assert rows(lake, SILVER, "event_id") == [("e1",), ("e3",)]
    assert rows(lake, QUARANTINE, "origin") == []
    assert write_silver(lake, UTC) == RowCounts("inventory")


def test_products_that_become_known_between_a_crash_and_its_repair_count_once(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrive(lake, event("e1"), event("e3", product_id=3))
    write_and_crash_before_silver(lake, monkeypatch)
    assert rows(lake, QUARANTINE, "origin") == [("inventory/0/1",)]
    add_product(lake, 3)
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=2, rows_out=2)
    assert rows(lake, QUARANTINE, "origin") == []


def test_all_of_bronze_is_flagged_anew_and_what_was_rejected_may_come_through(lake: Lake) -> None:
    arrive(lake, event("e1"), event("e2", product_id=3), event("e1"))
    assert write_silver(lake, UTC).rejected == {"product_known": 1}
    add_product(lake, 3)
    assert write_silver(lake, UTC, full=True) == RowCounts("inventory", rows_in=3, rows_out=2, duplicates=1)
    assert rows(lake, SILVER, "event_id") == [("e1",), ("e2",)]
    assert rows(lake, QUARANTINE, "origin") == []
    arrive(lake, event("e3"), first_offset=3)
    assert write_silver(lake, UTC) == RowCounts("inventory", rows_in=1, rows_out=1)
