"""PostgreSQL to bronze: windows, repeated runs, chunks, snapshots, and what the audit keeps of the source."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from blocks.settings.failures import DataFailure, PermanentFailure, TransientFailure
from lake.catalog import shop_tables
from tasks.ingest import chunks
from tasks.ingest import postgres as extract
from tasks.ingest.bronze import covered_until
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY, at, customer, order, put

MICROSECOND = dt.timedelta(microseconds=1)


def run(platform: Platform, ds: dt.date = DAY, table: str = "orders") -> int:
    """Extract one table for a day; returns the rows that were new to bronze."""
    del platform  # `Settings` finds it in the environment.
    return extract.extract_table.fn(table, ds, *here()).rows


def bronze(platform: Platform, table: str = "orders") -> list[dict[str, Any]]:
    rows = columns_of(platform, table).to_pylist()
    return sorted(rows, key=lambda row: (row[shop_tables()[table].key], row["updated_at"]))


def columns_of(platform: Platform, table: str = "orders") -> pa.Table:
    """The contract's columns of bronze, without the one that this shop does not use."""
    rows = platform.lake.table(f"bronze.{table}").to_pyarrow_table()
    return rows.select([name for name in shop_tables()[table].schema.names if name != "order_number"])


def order_ids(platform: Platform) -> list[int]:
    return [row["order_id"] for row in bronze(platform)]


def versions(platform: Platform, table: str = "orders") -> int:
    return platform.lake.table(f"bronze.{table}").version()


def test_bronze_holds_the_rows_as_the_source_has_them(platform: Platform) -> None:
    rows = [
        order(1, amount=Decimal("0.01"), updated_at=at(DAY, microsecond=7)),
        order(2, amount=None, status=None, quantity=None),
        order(3, order_date=dt.date(1999, 12, 31), updated_at=at(DAY, 0)),
    ]
    put(platform, "orders", *rows)
    assert run(platform) == 3
    assert bronze(platform) == rows


def test_a_repeated_extract_adds_nothing_and_makes_no_commit(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2))
    assert run(platform) == 2
    before = versions(platform)
    assert run(platform) == 0
    assert (order_ids(platform), versions(platform)) == ([1, 2], before)


def test_bronze_keeps_every_version_that_was_seen(platform: Platform) -> None:
    put(platform, "orders", order(1, status="pending", updated_at=at(DAY, 8)))
    run(platform)
    put(platform, "orders", order(1, status="shipped", updated_at=at(DAY, 9)))
    assert run(platform) == 1
    assert [(row["status"], row["updated_at"]) for row in bronze(platform)] == [
        ("pending", at(DAY, 8)),
        ("shipped", at(DAY, 9)),
    ]


@pytest.mark.parametrize(
    ("updated_at", "seen"),
    [
        pytest.param(at(DAY, 23), True, id="the first moment of the overlap"),
        pytest.param(at(NEXT_DAY, 0), True, id="the first moment of the day"),
        pytest.param(
            at(NEXT_DAY + dt.timedelta(days=1), 0) - MICROSECOND, True, id="the last moment of the day"
        ),
        pytest.param(at(NEXT_DAY + dt.timedelta(days=1), 0), False, id="the first moment after it"),
    ],
)
def test_the_window_is_half_open(platform: Platform, updated_at: dt.datetime, seen: bool) -> None:
    put(platform, "orders", order(1))
    run(platform)
    put(platform, "orders", order(2, updated_at=updated_at))
    assert run(platform, NEXT_DAY) == seen
    assert order_ids(platform) == ([1, 2] if seen else [1])


def test_the_window_is_the_shops_day_not_utcs(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TIMEZONE", "America/New_York")
    put(platform, "orders", order(1, updated_at=at(NEXT_DAY, 4, 59)), order(2, updated_at=at(NEXT_DAY, 5, 0)))
    assert run(platform) == 1
    assert order_ids(platform) == [1]


def test_the_first_run_reaches_back_to_the_first_row(platform: Platform) -> None:
    put(platform, "orders", order(1, updated_at=at(dt.date(1985, 1, 1))))
    assert run(platform) == 1


def test_a_run_makes_up_for_days_that_were_skipped(platform: Platform) -> None:
    put(platform, "orders", order(1))
    run(platform)
    put(
        platform,
        "orders",
        order(2, updated_at=at(NEXT_DAY)),
        order(3, updated_at=at(DAY + dt.timedelta(days=3))),
    )
    assert run(platform, DAY + dt.timedelta(days=3)) == 2


def test_an_old_day_again_finds_its_late_rows_and_leaves_the_mark(platform: Platform) -> None:
    put(platform, "orders", order(1))
    run(platform)
    run(platform, NEXT_DAY)
    mark = covered_until(platform.lake, "bronze.orders")
    put(platform, "orders", order(2, updated_at=at(DAY, 5)))
    assert run(platform, DAY) == 1
    assert run(platform, NEXT_DAY) == 0
    assert (
        covered_until(platform.lake, "bronze.orders")
        == mark
        == at(NEXT_DAY + dt.timedelta(days=1), 0).timestamp()
    )


def test_a_run_for_today_does_not_mark_the_day_as_covered(platform: Platform) -> None:
    today = dt.datetime.now(dt.UTC).date()
    put(platform, "orders", order(1, updated_at=at(today, 0)))
    before = int(platform.execute("select floor(extract(epoch from now()))")[0][0])
    run(platform, today)
    mark = covered_until(platform.lake, "bronze.orders")
    assert before <= mark <= before + 60
    # What the rest of the day brings is found by the run for the next day, overlap or not.
    put(platform, "orders", order(2, updated_at=dt.datetime.fromtimestamp(mark + 1, dt.UTC)))
    window = extract.extraction_window(
        today + dt.timedelta(days=1), dt.datetime.fromtimestamp(mark, dt.UTC), dt.UTC, dt.timedelta()
    )
    assert window.start == dt.datetime.fromtimestamp(mark, dt.UTC)


def keyless_orders(platform: Platform, rows: list[dict[str, Any]]) -> None:
    """Replace the table by one whose key may be null or repeat, as a broken source has it."""
    platform.execute("drop table orders")
    columns = ", ".join(f"{column.name} {column.type}" for column in shop_tables()["orders"].columns)
    platform.execute(f"create table orders ({columns})")
    for row in rows:
        platform.execute(f"insert into orders values ({', '.join(['%s'] * len(row))})", tuple(row.values()))


def identity(row: dict[str, Any]) -> tuple[bool, int, dt.datetime]:
    """The columns that distinguish the rows of a keyless table, in an order that null can take part in."""
    return row["order_id"] is not None, row["order_id"] or 0, row["updated_at"]


@pytest.mark.parametrize("chunk_rows", [1, 3, 1000])
def test_chunks_bring_what_one_read_brings(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, chunk_rows: int
) -> None:
    rows = [order(key, amount=Decimal(key % 1000)) for key in (-5, 0, 1, 2, 3, 7, 8, 9, 1000, 2**62)]
    rows += [order(None, updated_at=at(DAY, hour)) for hour in (1, 2)]
    keyless_orders(platform, rows)
    monkeypatch.setattr(chunks, "CHUNK_ROWS", chunk_rows)
    assert run(platform) == 12
    assert run(platform) == 0
    found = columns_of(platform).to_pylist()
    assert sorted(found, key=identity) == sorted(rows, key=identity)


def test_all_chunks_read_one_snapshot(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    put(platform, "orders", *(order(key) for key in range(1, 9)))
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 2)
    real, moved = chunks.copy_batches, []

    def source_moves_on(*arguments: Any) -> Any:
        if not moved:
            moved.append(True)
            put(
                platform,
                "orders",
                *(order(key, amount=Decimal("99.00"), updated_at=at(DAY, 13)) for key in range(1, 10)),
            )
        return real(*arguments)

    monkeypatch.setattr(chunks, "copy_batches", source_moves_on)
    assert run(platform) == 8
    assert {row["amount"] for row in bronze(platform)} == {Decimal("10.00")}
    assert run(platform) == 9


@pytest.mark.parametrize(
    "rows_before", [pytest.param(0, id="first run"), pytest.param(1, id="beside held rows")]
)
def test_a_connection_lost_in_mid_read_is_transient_and_writes_nothing(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, rows_before: int
) -> None:
    put(platform, "orders", *(order(key) for key in range(rows_before)))
    run(platform)
    before = versions(platform)
    platform.execute(
        "insert into orders select i, 1, 1, %s, 10, 1, repeat('x', 20000), %s "
        "from generate_series(10, 6000) i",
        (DAY, at(DAY)),
    )
    # The reader is slower than the server, so that the cut comes while rows are still to be sent.
    real = chunks.copy_batches

    def cut_after_first_batch(*arguments: Any) -> Any:
        for number, batch in enumerate(real(*arguments)):
            if number == 0:
                platform.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity "
                    "where query like 'copy (select%%' and pid <> pg_backend_pid()"
                )
            yield batch

    monkeypatch.setattr(chunks, "copy_batches", cut_after_first_batch)
    with pytest.raises(TransientFailure, match="broke off"):
        run(platform)
    assert versions(platform) == before


@pytest.mark.parametrize(
    "rows_before", [pytest.param(0, id="first run"), pytest.param(1, id="beside held rows")]
)
def test_a_column_that_changes_after_the_check_is_a_data_failure(
    platform: Platform, rows_before: int
) -> None:
    put(platform, "orders", *(order(key) for key in range(rows_before)))
    run(platform)
    platform.execute("alter table orders alter column quantity type text")
    put(platform, "orders", order(7, quantity="a dozen"))
    with pytest.raises(DataFailure, match=r"orders.quantity is text, which cannot be read as integer"):
        run(platform)


def test_a_row_that_the_server_cannot_deliver_is_named(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(platform, "orders", *(order(key, quantity=5 - key) for key in range(1, 10)))
    (tmp_path / "orders.sql").write_text(
        "select order_id, customer_id, product_id, order_date, amount / quantity as amount, quantity, status,"
        " updated_at from orders"
    )
    monkeypatch.setenv("SHOP_QUERIES", str(tmp_path))
    with pytest.raises(DataFailure, match=r"order_id 5 \(division by zero\).*leave it out in SHOP_QUERIES"):
        run(platform)


def test_an_unwritable_lake_is_permanent_and_nothing_else_changes(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    (platform.folder / "file").write_text("not a folder")
    monkeypatch.setenv("LAKE_URI", (platform.folder / "file" / "lake").as_uri())
    put(platform, "customers", customer(1))
    with pytest.raises(PermanentFailure, match="check LAKE_URI"):
        run(platform, table="customers")
    with pytest.raises(PermanentFailure, match="check LAKE_URI"):
        run(platform, table="orders")
    assert sorted(path.name for path in platform.folder.iterdir()) == ["clickstream", "file"]
    assert platform.execute("select count(*) from customers") == [(1,)]


def audit(platform: Platform, name: str) -> list[dict[str, Any]]:
    return platform.lake.table(f"audit.{name}").to_pyarrow_table().to_pylist()


def test_the_audit_has_the_sources_totals_of_the_window(platform: Platform) -> None:
    put(
        platform,
        "orders",
        order(1, amount=Decimal("10.10")),
        order(2, amount=Decimal("0.05")),
        order(3, amount=Decimal("7.00"), order_date=DAY - dt.timedelta(days=40), updated_at=at(DAY, 1)),
        order(4, amount=Decimal("NaN")),
        order(5, amount=Decimal("500.00"), updated_at=at(NEXT_DAY, 0)),
        order(6, amount=Decimal("3.00"), updated_at=None),
    )
    run(platform)
    totals = {row["order_date"]: (row["orders"], row["amount"]) for row in audit(platform, "order_totals")}
    assert totals == {DAY: (4, Decimal("13.15")), DAY - dt.timedelta(days=40): (1, Decimal("7.00"))}
    assert audit(platform, "orders_changed_later") == [{"order_id": 5}]


def test_the_audit_is_of_the_last_run_only(platform: Platform) -> None:
    put(platform, "orders", order(1), order(2, updated_at=at(NEXT_DAY)))
    run(platform)
    run(platform, NEXT_DAY)
    assert [row["orders"] for row in audit(platform, "order_totals")] == [2]
    assert audit(platform, "orders_changed_later") == []


def test_only_orders_have_source_totals(platform: Platform) -> None:
    put(platform, "customers", customer(1))
    run(platform, table="customers")
    assert platform.lake.table("audit.order_totals") is None
