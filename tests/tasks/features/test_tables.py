"""The feature tables: what was known at the end of a day, and the same bytes whenever it is computed."""

import datetime as dt
import hashlib
import random
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake.catalog import catalog
from lake.delta import Lake
from lake.local_sql import connect
from tasks.features.contract import Entity, feature_tables
from tasks.features.known import Day, day_of
from tasks.features.tables import features, first_read, reading_versions, register_versions, write_day
from tests.support.rows import at, customer, order, product
from tests.support.versions import append_versions, tombstone, version

UTC = ZoneInfo("UTC")
FIRST = dt.date(2024, 3, 1)


def on(number: int) -> dt.date:
    return FIRST + dt.timedelta(days=number)


def morning(number: int, hour: int = 6) -> dt.datetime:
    """When the run of day `number` reads what the shop wrote the day before."""
    return at(on(number), hour)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake((tmp_path / "lake").as_uri())


def rows(lake: Lake, entity: Entity, date: dt.date, zone: ZoneInfo = UTC) -> dict[int, dict[str, Any]]:
    with reading_versions(lake) as connection:
        read = first_read(connection)
        assert read
        found = features(connection, entity, day_of(date, zone, read)).read_all().to_pylist()
    return {row[feature_tables()[entity].key]: row for row in found}


def test_a_correction_a_late_row_and_a_delete_count_from_the_day_they_arrive(lake: Lake) -> None:
    append_versions(
        lake,
        "orders",
        [
            version(order(1, order_date=on(0), amount=Decimal(10)), morning(1)),
            version(order(2, order_date=on(0), amount=Decimal(5), quantity=2), morning(1)),
            # Read two days later: a correction, an order of long ago, a cancellation and a delete.
            version(order(1, order_date=on(0), amount=Decimal(12), updated_at=at(on(2))), morning(3)),
            version(order(3, order_date=on(-40), amount=Decimal(100), updated_at=at(on(2))), morning(3)),
            tombstone("order_id", 2, morning(4)),
            version(order(1, order_date=on(0), status="cancelled", updated_at=at(on(4))), morning(5)),
        ],
    )
    append_versions(lake, "customers", [version(customer(1), morning(1)), version(customer(7), morning(1))])
    append_versions(lake, "products", [version(product(1), morning(1))])

    known = {number: rows(lake, "customers", on(number))[1] for number in range(1, 6)}
    assert {n: (row["total_orders"], row["total_revenue"]) for n, row in known.items()} == {
        1: (2, Decimal(15)), 2: (2, Decimal(15)), 3: (3, Decimal(117)), 4: (2, Decimal(112)), 5: (1, Decimal(100))
    }  # fmt: skip
    assert [known[n]["orders_28d"] for n in known] == [2, 2, 2, 1, 0]
    assert [known[n]["cancelled_orders_365d"] for n in known] == [0, 0, 0, 0, 1]
    assert known[2]["days_since_last_order"] == 2
    assert known[3]["avg_days_between_orders"] == 40
    assert known[1]["event_timestamp"] == at(on(2), 0)
    assert [known[n]["created_timestamp"] for n in (2, 3)] == [morning(1), morning(3)]
    silent = rows(lake, "customers", on(1))[7]
    assert (silent["total_orders"], silent["days_since_last_order"], silent["region"]) == (0, None, "north")
    assert [rows(lake, "products", on(n))[1]["units_28d"] for n in (1, 4, 5)] == [3, 1, 0]


def test_a_version_belongs_to_the_day_of_its_arrival_in_the_shops_time_zone(lake: Lake) -> None:
    zone = ZoneInfo("America/New_York")
    midnight = dt.datetime.combine(on(3), dt.time(), zone).astimezone(dt.UTC)
    append_versions(
        lake,
        "orders",
        [
            version(order(1, order_date=on(0)), midnight),
            version(order(2, order_date=on(0)), midnight + dt.timedelta(microseconds=1)),
        ],
    )
    counts = [rows(lake, "customers", on(n), zone)[1]["total_orders"] for n in (2, 3)]
    assert counts == [1, 2]


def test_a_day_before_the_lake_counts_what_the_shop_had_written_the_day_before(lake: Lake) -> None:
    append_versions(
        lake,
        "orders",
        [
            version(order(1, order_date=on(0)), morning(20)),
            version(order(2, order_date=on(0), status="delivered", updated_at=at(on(5))), morning(20)),
        ],
    )
    known = {number: rows(lake, "customers", on(number)).get(1) for number in (0, 1, 5, 6, 19, 20)}
    assert known[0] is None
    assert [known[n]["total_orders"] for n in (1, 5, 6, 19, 20)] == [1, 1, 2, 2, 2]
    assert [known[n]["is_reconstructed"] for n in (1, 5, 6, 19, 20)] == [True] * 4 + [False]


def test_a_day_computed_again_after_a_backfill_is_the_same_file(lake: Lake, tmp_path: Path) -> None:
    rng = random.Random(4)
    many = [
        version(
            order(
                number,
                customer_id=rng.randint(1, 50),
                product_id=rng.randint(1, 9),
                order_date=on(rng.randint(-60, 0)),
                amount=Decimal(rng.randint(1, 99999)) / 100,
                updated_at=at(on(0), 1, 2, 3, number),
            ),
            morning(1),
        )
        for number in range(2000)
    ]
    append_versions(lake, "orders", many)
    again = Lake((tmp_path / "again").as_uri())
    rng.shuffle(many)
    append_versions(again, "orders", many[:900])
    append_versions(again, "orders", many[900:])
    # The backfill: older orders, and newer versions, that arrive after the day.
    late = [
        version(order(n, order_date=on(-70), updated_at=at(on(-70))), morning(9)) for n in range(1990, 2500)
    ]
    append_versions(again, "orders", late)
    digests = []
    for each in (lake, again, again):
        with reading_versions(each) as connection:
            for table in feature_tables().values():
                write_day(connection, each, table, day_of(on(1), UTC, morning(1)))
        digests.append({table.name: digest(each, table.lake_name) for table in feature_tables().values()})
    assert digests[0] == digests[1] == digests[2]
    assert lake.table("features.customer_features").to_pyarrow_table().num_rows == 50


def digest(lake: Lake, name: str) -> list[str]:
    files = lake.table(name).file_uris()
    return [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]


MOMENTS = st.integers(0, 6 * 24)
ORDERS = st.builds(
    lambda key, read, gone, day, amount, status, number: (
        tombstone("order_id", key, morning(0) + dt.timedelta(hours=read))
        if gone
        else version(
            order(
                key,
                customer_id=1 + key % 2,
                order_date=on(day),
                amount=Decimal(amount) / 100,
                status=status,
                order_number=number,
            ),
            morning(0) + dt.timedelta(hours=read),
        )
    ),
    st.integers(1, 5),
    MOMENTS,
    st.sampled_from([False, False, False, True]),
    st.integers(-30, 3),
    st.integers(1, 999),
    st.sampled_from(["pending", "delivered", "cancelled"]),
    st.sampled_from([None, " ", "A"]),
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(versions=st.lists(ORDERS, min_size=1, max_size=12), number=st.integers(0, 6))
def test_a_row_uses_nothing_that_arrived_later_and_everything_that_had(
    versions: list[dict[str, Any]], number: int
) -> None:
    day = Day(on(number), at(on(number), 0), at(on(number + 1), 0), is_reconstructed=False)
    arrived = [row for row in versions if row["read_at"] <= day.end]
    found = compute(versions, day)
    assert found.equals(compute(arrived, day))
    assert {
        row["customer_id"]: (row["total_orders"], row["total_revenue"]) for row in found.to_pylist()
    } == by_hand(arrived, day.date)


def compute(versions: list[dict[str, Any]], day: Day) -> pa.Table:
    with connect() as connection:
        for name in ("customers", "orders"):
            register_versions(connection, Lake("file:///nowhere"), name)
        connection.register(
            "orders_versions", pa.Table.from_pylist(versions, schema=catalog()["orders"].silver_schema)
        )
        return features(connection, "customers", day).read_all()


def by_hand(versions: list[dict[str, Any]], day: dt.date) -> dict[int, tuple[int, Decimal]]:
    """Orders and revenue of each customer, in Python."""
    newest: dict[int, dict[str, Any]] = {}
    ties = {}
    for row in versions:
        ties.setdefault((row["order_id"], row["read_at"]), []).append(row)
    for (key, _), group in sorted(ties.items()):
        # At one moment a key is read once; of two, the smaller values win, and a delete is last.
        newest[key] = min(
            group,
            key=lambda row: (
                row["deleted_at"] is not None, -row["updated_at"].timestamp() if row.get("updated_at") else 0,
                row.get("customer_id") or 0, row.get("order_date") or day, row.get("amount") or 0,
                row.get("status") or "", row.get("order_number") or "~",
            ),
        )  # fmt: skip
    live = [row for row in newest.values() if row["deleted_at"] is None and row["order_date"] < day]
    sold = [row for row in live if row["status"] != "cancelled"]
    return {
        each: (
            len(
                {
                    (row.get("order_number") or "").strip() or row["order_id"]
                    for row in sold
                    if row["customer_id"] == each
                }
            ),
            sum((row["amount"] for row in sold if row["customer_id"] == each), Decimal(0)),
        )
        for each in {row["customer_id"] for row in live}
    }
