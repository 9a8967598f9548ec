"""The law of the stock: whatever comes twice, late, or never, the level of the newest event is what counts."""

import datetime as dt
import itertools
import json
import shutil
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.delta import Lake
from tasks.inventory.message import SCHEMA
from tasks.inventory.silver import BRONZE, write_silver
from tasks.inventory.stock_levels import Gap, Stock, StockLevel

UTC = ZoneInfo("UTC")
START = dt.datetime(2024, 3, 4, tzinfo=dt.UTC)


class Move(NamedTuple):
    """What happened in the shop, and what becomes of the message about it."""

    product: int
    warehouse: str
    change: int
    copies: int
    """0: it never arrives."""


MOVES = st.lists(
    st.builds(
        Move,
        product=st.integers(1, 2),
        warehouse=st.sampled_from(["north", "south"]),
        change=st.integers(-5, 9),
        copies=st.sampled_from([0, 1, 1, 1, 2]),
    ),
    min_size=1,
    max_size=25,
)


def happened(moves: list[Move]) -> list[dict]:
    """The events that the shop sends, in the order in which things happened; levels never fall below 0."""
    levels: dict[tuple[int, str], int] = defaultdict(lambda: 50)
    events = []
    for number, move in enumerate(moves):
        key = (move.product, move.warehouse)
        levels[key] = max(0, levels[key] + move.change)
        events.append(
            {
                "event_id": f"e{number}",
                "product_id": move.product,
                "warehouse_id": move.warehouse,
                "quantity_change": move.change,
                "on_hand": levels[key],
                "event_time": (START + dt.timedelta(seconds=number)).isoformat(),
            }
        )
    return events


def expected(moves: list[Move]) -> tuple[list[StockLevel], list[Gap]]:
    """The rule, in plain Python: per key, the arrived events in their order; the last one's level, and the gaps."""
    arrived: dict[tuple[int, str], list[dict]] = defaultdict(list)
    for move, event in zip(moves, happened(moves), strict=True):
        if move.copies:
            arrived[move.product, move.warehouse].append(event)
    levels, gaps = [], []
    for (product, warehouse), events in sorted(arrived.items()):
        for before, after in itertools.pairwise(events):
            level = before["on_hand"] + after["quantity_change"]
            if level != after["on_hand"]:
                gaps.append(
                    Gap(
                        product_id=product,
                        warehouse_id=warehouse,
                        event_at=dt.datetime.fromisoformat(after["event_time"]),
                        expected=level,
                        on_hand=after["on_hand"],
                    )
                )
        levels.append(
            StockLevel(
                product_id=product,
                warehouse_id=warehouse,
                on_hand=events[-1]["on_hand"],
                event_at=dt.datetime.fromisoformat(events[-1]["event_time"]),
            )
        )
    return levels, sorted(gaps, key=lambda gap: gap.event_at)


@settings(max_examples=100, deadline=None)
@given(moves=MOVES, data=st.data())
def test_the_stock_follows_the_rule_whatever_becomes_of_the_messages(
    moves: list[Move], data: st.DataObject
) -> None:
    messages = [event for move, event in zip(moves, happened(moves), strict=True) for _ in range(move.copies)]
    shuffled = data.draw(st.permutations(messages), label="order of arrival")
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").exists() else None))
    try:
        lake = Lake(folder.as_uri())
        write_deltalake(lake.uri("silver.products"), pa.table({"product_id": pa.array([1, 2], pa.int64())}))
        followed, whole = Stock(lake), Stock(lake)
        offset = 0
        while offset < len(shuffled):
            size = data.draw(st.integers(1, 12), label="messages in a batch")
            arrive(lake, shuffled[offset : offset + size], offset)
            offset += size
            if data.draw(st.booleans(), label="written at once"):
                write_silver(lake, UTC)
                followed.refresh()
        write_silver(lake, UTC)
        followed.refresh()
        levels, gaps = expected(moves)
        with followed, whole:
            assert followed.levels() == levels
            assert whole.refresh() == gaps
            assert whole.levels() == levels
    finally:
        shutil.rmtree(folder)


def arrive(lake: Lake, events: list[dict], first_offset: int) -> None:
    rows = [
        {
            "topic": "inventory",
            "partition": 0,
            "offset": first_offset + number,
            "key": str(event["product_id"]),
            "raw": json.dumps(event),
            "sent_at": START + dt.timedelta(hours=1, seconds=first_offset + number),
        }
        for number, event in enumerate(events)
    ]
    write_deltalake(lake.uri(BRONZE), pa.Table.from_pylist(rows, schema=SCHEMA), mode="append")


def test_a_lake_without_events_has_no_stock(tmp_path: Path) -> None:
    with Stock(Lake(tmp_path.as_uri())) as stock:
        assert (stock.levels(), stock.on_hand()) == ([], {})


def stock_event(product: int, warehouse: str, change: int, on_hand: int, minute: int) -> dict:
    return {
        "event_id": f"{product}-{warehouse}-{minute}",
        "product_id": product,
        "warehouse_id": warehouse,
        "quantity_change": change,
        "on_hand": on_hand,
        "event_time": (START + dt.timedelta(minutes=minute)).isoformat(),
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake(tmp_path.as_uri())
    write_deltalake(made.uri("silver.products"), pa.table({"product_id": pa.array([1, 2], pa.int64())}))
    return made


def test_a_products_stock_is_that_of_all_warehouses(lake: Lake) -> None:
    arrive(
        lake,
        [
            stock_event(1, "north", 5, 5, 0),
            stock_event(1, "south", 2, 2, 1),
            stock_event(2, "north", 0, 0, 2),
        ],
        0,
    )
    write_silver(lake, UTC)
    with Stock(lake) as stock:
        assert stock.on_hand() == {1: 7, 2: 0}


def test_a_gap_is_reported_when_it_comes_and_not_again(lake: Lake) -> None:
    arrive(lake, [stock_event(1, "north", 5, 5, 0)], 0)
    write_silver(lake, UTC)
    with Stock(lake) as stock:
        arrive(lake, [stock_event(1, "north", -1, 3, 2), stock_event(1, "north", -1, 2, 3)], 1)
        write_silver(lake, UTC)
        [gap] = stock.refresh()
        assert (gap.expected, gap.on_hand, gap.event_at) == (4, 3, START + dt.timedelta(minutes=2))
        assert stock.refresh() == []
        # The lost event, late: it opens no second gap, and older than the newest it changes no level.
        arrive(lake, [stock_event(1, "north", -1, 4, 1)], 3)
        write_silver(lake, UTC)
        assert stock.refresh() == []
        assert stock.on_hand() == {1: 2}


def test_silver_rebuilt_under_a_running_stock_is_read_again_without_a_gap(lake: Lake) -> None:
    arrive(lake, [stock_event(1, "north", 5, 5, 0), stock_event(1, "north", -1, 4, 1)], 0)
    write_silver(lake, UTC)
    with Stock(lake) as stock:
        write_silver(lake, UTC, full=True)
        assert stock.refresh() == []
        assert stock.on_hand() == {1: 4}
