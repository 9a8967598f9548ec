"""Source against bronze, key by key: what is gone, and what no window could see."""

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from blocks.settings.failures import DataFailure, PermanentFailure
from lake.catalog import shop_tables
from lake.row_counts import Extracted
from tasks.ingest import postgres as extract
from tasks.ingest.comparison import Difference
from tasks.ingest.decisions import Decisions
from tests.support.contracts import changed_columns, changed_table
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY, at, customer, order, put

LATER = NEXT_DAY + dt.timedelta(days=1)


def run(ds: dt.date = DAY, table: str = "orders", **decisions: Any) -> Extracted:
    return extract.extract_table.fn(table, ds, *here(), decisions=Decisions(**decisions))


def bronze(platform: Platform, table: str = "orders") -> list[dict[str, Any]]:
    rows = platform.lake.table(f"bronze.{table}").to_pyarrow_table().to_pylist()
    return sorted(rows, key=lambda row: (str(row[shop_tables()[table].key]), row["read_at"]))


def fates(platform: Platform, key: Any, table: str = "orders") -> list[str]:
    """What bronze says of a key, oldest first: `gone`, or the version's cursor."""
    name = shop_tables()[table].key
    return [
        "gone" if row["deleted_at"] else str(row["updated_at"])[:16]
        for row in bronze(platform, table)
        if row[name] == key
    ]


def test_a_deleted_row_gets_a_tombstone_once(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2))
    assert run().deleted == 0
    platform.execute("delete from orders where order_id = 1")
    extracted = run(NEXT_DAY)
    assert (extracted.rows, extracted.deleted) == (1, 1)
    [tomb] = [row for row in bronze(platform) if row["deleted_at"]]
    assert (tomb["order_id"], tomb["amount"], tomb["updated_at"]) == (1, None, None)
    assert (run(LATER).rows, run(LATER).deleted) == (0, 0)
    # Now the server counts a change, and all is compared again.
    put(platform, "orders", order(3, updated_at=at(LATER)))
    again = run(LATER)
    assert (again.rows, again.deleted) == (1, 0)
    assert fates(platform, 2) == [str(at(DAY))[:16]]


def test_a_kept_row_is_marked_with_its_last_values(platform: Platform) -> None:
    put(platform, "customers", customer(1, customer_name="Ada"), customer(2))
    run(table="customers")
    platform.execute("delete from customers where customer_id = 1")
    assert run(NEXT_DAY, "customers").deleted == 1
    [tomb] = [row for row in bronze(platform, "customers") if row["deleted_at"]]
    assert (tomb["customer_name"], tomb["updated_at"]) == ("Ada", at(DAY - dt.timedelta(days=1)))


@pytest.mark.parametrize(
    "updated_at",
    [
        pytest.param(at(NEXT_DAY), id="with a new cursor"),
        pytest.param(at(DAY), id="as it was, from a backup"),
        pytest.param(at(DAY, 3), id="with an older cursor"),
    ],
)
def test_a_row_that_comes_back_is_read_again(platform: Platform, updated_at: dt.datetime) -> None:
    put(platform, "orders", order(1), order(2))
    run()
    platform.execute("delete from orders where order_id = 1")
    run()
    put(platform, "orders", order(1, updated_at=updated_at))
    run(NEXT_DAY)
    assert fates(platform, 1) == [str(at(DAY))[:16], "gone", str(updated_at)[:16]]
    assert run(NEXT_DAY).rows == 0


@pytest.mark.parametrize(
    ("updated_at", "cursor"),
    [
        pytest.param(None, None, id="null"),
        pytest.param("-infinity", None, id="-infinity"),
        pytest.param("infinity", None, id="infinity"),
        pytest.param("0044-03-15 BC", None, id="BC"),
        pytest.param("20000-01-01", None, id="beyond year 9999"),
        pytest.param("0001-01-01 00:00:00+00", "0001-01-01 00:00", id="year 1"),
        pytest.param("2099-01-01 00:00:00+00", "2099-01-01 00:00", id="in the future"),
        pytest.param("2024-01-01 00:00:00+00", "2024-01-01 00:00", id="committed long after"),
    ],
)
def test_what_a_cursor_cannot_see_is_read_once_and_reported_by_key(
    platform: Platform, updated_at: str | None, cursor: str | None
) -> None:
    put(platform, "orders", order(1))
    run()
    put(platform, "orders", order(17, updated_at=updated_at))
    extracted = run(NEXT_DAY)
    assert extracted.rows == 1
    assert "no window could see 1 rows" in extracted.warnings[0]
    assert "for example 17" in extracted.warnings[0]
    assert fates(platform, 17) == [str(cursor)]
    again = run(LATER)
    assert (again.rows, again.warnings) == (0, [])


def test_a_cursor_that_goes_back_brings_the_present_version(platform: Platform) -> None:
    put(platform, "orders", order(1, status="shipped", updated_at=at(DAY, 12)))
    run()
    put(platform, "orders", order(1, status="delivered", updated_at=at(DAY, 11)))
    run()
    newest = bronze(platform)[-1]
    assert (newest["status"], newest["updated_at"]) == ("delivered", at(DAY, 11))


def test_a_changed_key_is_one_gone_and_one_new(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2))
    run()
    platform.execute("update orders set order_id = 100 where order_id = 1")
    extracted = run(NEXT_DAY)
    assert (extracted.rows, extracted.deleted) == (2, 1)
    assert (fates(platform, 1)[-1], fates(platform, 100)) == ("gone", [str(at(DAY))[:16]])


def test_a_table_that_is_truncated_and_loaded_again_costs_nothing(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2))
    run()
    platform.execute("truncate orders")
    put(platform, "orders", order(1), order(2))
    assert (run(NEXT_DAY).rows, run(NEXT_DAY).deleted) == (0, 0)


def test_rows_of_the_next_run_are_neither_gone_nor_unseen(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2))
    run()
    put(platform, "orders", order(1, updated_at=at(NEXT_DAY)), order(3, updated_at=at(NEXT_DAY)))
    extracted = run(DAY)
    assert (extracted.rows, extracted.deleted, extracted.warnings) == (0, 0, [])


def test_an_old_day_again_takes_no_newer_row_for_deleted(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2, updated_at=at(NEXT_DAY)))
    run(NEXT_DAY)
    platform.execute("delete from orders where order_id = 2")
    put(platform, "orders", order(3, updated_at=at(NEXT_DAY, 5)))
    extracted = run(DAY)
    assert (extracted.rows, extracted.deleted) == (2, 1)


@pytest.fixture
def low_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASS_DELETE_ROWS", "2")
    monkeypatch.setenv("MASS_DELETE_SHARE", "0.1")


@pytest.mark.usefixtures("low_guard")
def test_a_mass_delete_stops_before_any_tombstone_and_goes_on_when_accepted(platform: Platform) -> None:
    put(platform, "orders", *(order(key) for key in range(1, 6)))
    run()
    platform.execute("delete from orders where order_id < 3")
    with pytest.raises(DataFailure, match=r"2 of 5 rows of orders are gone.*1, 2.*--accept-deletes orders"):
        run(NEXT_DAY)
    assert all(row["deleted_at"] is None for row in bronze(platform))
    assert run(NEXT_DAY, accept_deletes=["orders"], reason="test orders").deleted == 2


@pytest.mark.usefixtures("low_guard")
def test_a_single_delete_is_no_mass_delete(platform: Platform) -> None:
    put(platform, "orders", *(order(key) for key in range(1, 6)))
    run()
    platform.execute("delete from orders where order_id = 3")
    assert run(NEXT_DAY).deleted == 1


@pytest.mark.parametrize(
    ("gone", "live", "is_mass"),
    [(99, 100, False), (100, 100, True), (100, 10_000, False), (101, 10_000, True), (0, 0, False)],
)
def test_a_mass_delete_is_a_share_and_a_number(gone: int, live: int, is_mass: bool) -> None:
    found = Difference("orders", gone=list(range(gone)), live=live)
    assert found.is_mass_delete(0.01, 100) == is_mass


def test_an_edit_that_leaves_the_cursor_alone_is_read_on_demand(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2), order(3, order_date=DAY - dt.timedelta(days=3)))
    run()
    platform.execute("update orders set amount = 77 where order_id in (1, 3)")
    assert run(NEXT_DAY).rows == 0
    assert run(NEXT_DAY, reread=[f"orders:order_date={DAY}"], reason="prices").rows == 1
    assert bronze(platform)[1]["amount"] == Decimal("77.00")
    assert run(NEXT_DAY, reread=["orders:order_id=2,3"], reason="prices").rows == 1
    assert run(NEXT_DAY, reread=["orders"], reason="prices").rows == 0


@pytest.mark.parametrize(
    ("decisions", "problem"),
    [
        ({"reread": ["order"]}, "no source table order; there are customers, orders, products"),
        ({"reread": ["orders:day=1"]}, "orders has no column day; it has order_id"),
        ({"reread": ["orders order_id"]}, "write <table>, or <table>:<column>=<value>"),
        ({"accept_deletes": ["basket"]}, "no source table basket"),
        ({"accept_deletes": ["orders"], "reason": " "}, "say why with --reason"),
        ({"accept_deletes": ["orders"], "person": " "}, "say who with --person"),
    ],
)
def test_a_decision_that_cannot_be_carried_out_is_refused(decisions: dict, problem: str) -> None:
    with pytest.raises(PermanentFailure, match=problem):
        Decisions(**{"reason": "because", "person": "ada", **decisions}).check()


def test_nothing_is_compared_while_the_server_counts_no_change(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(platform, "orders", order(1), order(2))
    compared: list[str] = []
    real = extract.compare
    monkeypatch.setattr(extract, "compare", lambda *given: compared.append("") or real(*given))

    def runs(ds: dt.date) -> int:
        platform.execute("select pg_stat_force_next_flush()")
        compared.clear()
        run(ds)
        return len(compared)

    assert runs(DAY) == 1
    # What was counted while the first run read may be known only now.
    runs(DAY)
    assert runs(NEXT_DAY) == 0
    platform.execute("delete from orders where order_id = 1")
    assert runs(NEXT_DAY) == 1
    runs(NEXT_DAY)
    assert runs(NEXT_DAY) == 0
    platform.execute("truncate orders")
    assert runs(NEXT_DAY) == 1
    runs(NEXT_DAY)
    platform.execute("select pg_stat_reset()")
    assert runs(NEXT_DAY) == 1


KEYS = [f"order-{letter}" for letter in "aäBb~Zz"]


@pytest.fixture
def text_keys(platform: Platform) -> Iterator[Platform]:
    platform.execute("alter table orders alter column order_id type text")
    with changed_columns("orders", "order_id", logicalType="string", physicalType="text"):
        yield platform


def test_text_keys_are_compared_and_read_in_chunks(
    text_keys: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.ingest.chunks.CHUNK_ROWS", 2)
    put(text_keys, "orders", *(order(key) for key in KEYS))
    assert run().rows == len(KEYS)
    assert run().rows == 0
    text_keys.execute("delete from orders where order_id = 'order-ä'")
    put(text_keys, "orders", order("order-new", updated_at=None))
    extracted = run(NEXT_DAY)
    assert (extracted.rows, extracted.deleted) == (2, 1)
    assert fates(text_keys, "order-ä")[-1] == "gone"


@pytest.fixture
def snapshot_table(platform: Platform) -> Iterator[Platform]:
    platform.execute("alter table customers drop column updated_at")
    with changed_table("customers", changes="snapshot"):
        yield platform


def test_a_table_without_a_cursor_is_compared_as_a_snapshot(snapshot_table: Platform) -> None:
    def put_customer(key: int, name: str) -> None:
        snapshot_table.execute(
            "insert into customers values (%s, %s, 'gold', 'north') on conflict (customer_id) "
            "do update set customer_name = excluded.customer_name",
            (key, name),
        )

    put_customer(1, "Ada")
    put_customer(2, "Bob")
    assert extract.check_contracts.fn(here()[0])["customers"] == []
    assert run(table="customers").rows == 2
    assert run(NEXT_DAY, "customers").rows == 0
    put_customer(2, "Bobby")
    snapshot_table.execute("delete from customers where customer_id = 1")
    extracted = run(NEXT_DAY, "customers")
    assert (extracted.rows, extracted.deleted, extracted.warnings) == (2, 1, [])
    rows = bronze(snapshot_table, "customers")
    assert [(row["customer_name"], bool(row["deleted_at"])) for row in rows] == [
        ("Ada", False),
        ("Ada", True),
        ("Bob", False),
        ("Bobby", False),
    ]
    # The moment at which the change was noticed stands for the cursor.
    assert rows[-1]["updated_at"] == rows[-1]["read_at"]


def test_a_query_is_read_like_a_table(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.execute(
        'create schema legacy; create table legacy."Order" ("Id" int primary key, "order" int, person int,'
        ' item int, placed timestamp, total numeric, n smallint, state text, "touched" timestamp)'
    )
    for key, total in ((1, "10.50"), (2, "3.001"), (3, "NaN")):
        platform.execute(
            'insert into legacy."Order" values (%s, 7, 1, 1, %s, %s, 2, %s, %s)',
            (key, "2024-03-04 09:30", total, "SHIPPED", "2024-03-04 09:30"),
        )
    (tmp_path / "orders.sql").write_text(
        "-- What the shop calls Order.\n"
        'select "Id" as order_id, person as customer_id, item as product_id, placed::date as order_date,\n'
        " total as amount, n as quantity, lower(state) as status,\n"
        " touched at time zone 'Europe/Berlin' as updated_at, person % 2 = 0 as odd\n"
        'from legacy."Order" -- the last word',
        encoding="utf-8",
    )
    monkeypatch.setenv("SHOP_QUERIES", str(tmp_path))
    assert extract.check_contracts.fn(here()[0])["orders"] == [
        "orders.odd (boolean) is new and is not extracted"
    ]
    assert run().rows == 3
    rows = bronze(platform)
    assert [(row["amount"], row["unreadable"]) for row in rows] == [
        (Decimal("10.50"), None),
        (None, '{"amount": "3.001"}'),
        (None, '{"amount": "NaN"}'),
    ]
    assert rows[0]["updated_at"] == dt.datetime(2024, 3, 4, 8, 30, tzinfo=dt.UTC)
    platform.execute('delete from legacy."Order" where "Id" = 1')
    assert run(NEXT_DAY).deleted == 1


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("select 1 as order_id; drop table orders", "orders.sql is refused by the shop's database"),
        ("select nothing from orders", 'orders.sql is refused.*column "nothing" does not exist'),
        ("select 1 as order_id, 2 as order_id", "yields order_id twice"),
    ],
)
def test_a_query_that_cannot_be_run_is_refused_by_name(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, query: str, problem: str
) -> None:
    (tmp_path / "orders.sql").write_text(query, encoding="utf-8")
    monkeypatch.setenv("SHOP_QUERIES", str(tmp_path))
    with pytest.raises(PermanentFailure, match=problem):
        extract.check_contracts.fn(here()[0])
    assert platform.execute("select count(*) from orders") == [(0,)]


def test_times_are_compared_to_the_microsecond(platform: Platform) -> None:
    odd = [
        "1899-12-31 23:59:59.999999",
        "1900-01-01 00:00:00.000001",
        "1969-12-31 23:59:59.999999",
        "2001-09-09 01:46:40.000003",
        "2038-01-19 03:14:08.000007",
        "2099-12-31 23:59:59.999999",
        "2100-01-01 00:00:00.000001",
        "9998-12-31 23:59:59.999999",
    ]
    times = [dt.datetime.fromisoformat(f"{text}+00:00") for text in odd]
    put(platform, "orders", *(order(number, updated_at=time) for number, time in enumerate(times, start=1)))
    assert run().rows == len(odd)
    # Now the server counts a change, and all is compared again.
    put(platform, "orders", order(99, updated_at=at(NEXT_DAY)))
    assert run(NEXT_DAY).rows == 1
    platform.execute(
        "update orders set updated_at = updated_at + interval '1 microsecond' where order_id < 99"
    )
    assert run(NEXT_DAY).rows == len(odd)
