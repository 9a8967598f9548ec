"""The preview of each source table: rules, rows, windows, hidden rows, and questions that take too long."""

import datetime as dt
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest
from psycopg2.extensions import parse_dsn
from rich.console import Console

from blocks.settings.settings import EnvironmentSettings
from tasks.connect import questions
from tasks.connect.models import ShopPreview, TablePreview
from tasks.connect.preview import preview_shop
from tasks.connect.preview_screen import show
from tasks.ingest.postgres import check_contracts
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, at, customer, order, product, put

NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def shop(platform: Platform) -> Platform:
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 101)))
    platform.execute("analyze")
    return platform


def looked() -> ShopPreview:
    return preview_shop(EnvironmentSettings(), NOW)


def orders_of(preview: ShopPreview) -> TablePreview:
    [found] = [each for each in preview.tables if each.table == "orders"]
    return found


def test_each_row_rule_has_its_share_and_examples(shop: Platform) -> None:
    put(
        shop,
        "orders",
        order(201, amount=Decimal("0.00")),
        order(202, amount=None),
        order(203, status="lost"),
        order(204, order_date=DAY + dt.timedelta(days=2), updated_at=at(DAY)),
    )
    shop.execute("alter table orders alter column quantity type bigint")
    shop.execute("update orders set quantity = 3000000000 where order_id = 1")
    preview = looked()
    rejected = {each.rule: (each.rows, sorted(each.samples)) for each in orders_of(preview).rejected}
    assert rejected == {
        "amount_in_range": (2, ["201: 0.00", "202: null"]),
        "status_known": (1, ["203: lost"]),
        "order_date_not_in_future": (1, ["204: 2024-03-06"]),
        "quantity_readable": (1, ["1: 3000000000"]),
    }
    assert preview.verdict == "ready with warnings"
    [warning] = preview.warnings
    assert "orders: 4.8% of the newest 104 rows would be rejected, most by amount_in_range" in warning


def test_more_than_the_bronze_gate_lets_pass_is_not_ready(shop: Platform) -> None:
    shop.execute("update orders set status = 'neu' where order_id <= 6")
    preview = looked()
    assert preview.verdict == "not ready"
    assert "6.0% of the newest 100 rows" in preview.broken[0]
    assert "QUARANTINE_THRESHOLD (5%)" in preview.broken[0]


def test_values_of_personal_columns_are_not_shown(shop: Platform) -> None:
    shop.execute("alter table customers alter column customer_name type varchar(200)")
    put(shop, "customers", customer(2, customer_name="Erika Mustermann", updated_at=None))
    preview = looked()
    assert "Mustermann" not in preview.model_dump_json()
    assert any("customers: rows without updated_at (2)" in each for each in preview.warnings)


def test_columns_say_what_is_lost(shop: Platform) -> None:
    shop.execute("alter table customers drop column region, add column loyalty integer")
    shop.execute("alter table products alter column unit_cost type numeric")
    preview = looked()
    notes = {f"{table.table}.{each.name}": each.note for table in preview.tables for each in table.columns}
    assert notes["customers.region"] == "not there; it is optional, and read as null"
    assert notes["products.unit_cost"] == (
        "quarantined: NaN, values outside numeric(12,2), more than 2 decimals"
    )
    assert notes["orders.order_id"] == ""
    assert preview.tables[0].additions == ["customers.loyalty (integer) is new and is not extracted"]


def test_a_large_table_without_an_index_is_warned_of_and_sampled(shop: Platform) -> None:
    shop.execute(
        "insert into orders select n, 1, 1, '2024-03-04', 10, 1, 'pending', '2024-03-04 12:00+00' "
        "from generate_series(1001, 201000) as n"
    )
    shop.execute("analyze orders")
    assert check_contracts.fn(here()[0])["orders"] == []
    found = orders_of(looked())
    assert (found.warnings, found.sample) == ([], "the newest 10,000 rows")
    assert found.is_estimate
    assert found.rows == pytest.approx(200_100, rel=0.05)
    shop.execute("drop index orders_updated_at_idx")
    preview = looked()
    assert preview.verdict == "ready with warnings"
    assert preview.warnings[0].endswith(
        "create an index: create index concurrently on public.orders (updated_at)"
    )
    assert check_contracts.fn(here()[0])["orders"] == preview.warnings
    found = orders_of(preview)
    assert found.newest_row == "not known (no index on updated_at)"
    assert found.sample.endswith("rows, not the newest")
    assert found.sampled_rows is not None
    assert found.sampled_rows > 5000


def test_rows_from_the_future_are_told(shop: Platform) -> None:
    shop.execute("update orders set updated_at = 'infinity' where order_id = 7")
    preview = looked()
    assert any("its newest updated_at is infinity" in each for each in preview.warnings)
    assert [each.rule for each in orders_of(preview).rejected] == ["updated_at_readable"]


def test_hidden_rows_are_told_by_the_preview_and_by_each_run(
    shop: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = f"reader_{uuid4().hex[:12]}"
    shop.execute(f"create role {role} login password 'reader'")
    shop.execute(f"grant select on all tables in schema public to {role}")
    shop.execute("alter table orders enable row level security")
    shop.execute("create policy own on orders for select using (order_id < 50)")
    parts = parse_dsn(shop.dsn)
    monkeypatch.setenv("SHOP_DSN", f"postgresql://{role}:reader@127.0.0.1:{parts['port']}/{parts['dbname']}")
    preview = looked()
    assert preview.verdict == "ready with warnings"
    [warning] = preview.warnings
    assert warning.startswith(f"orders: row-level security may hide rows of table orders from user {role}")
    assert check_contracts.fn(here()[0])["orders"] == [warning]
    shop.execute("create policy everything on orders for select using (true)")
    assert looked().warnings == []
    assert check_contracts.fn(here()[0])["orders"] == []
    shop.execute(f"drop owned by {role}; drop role {role}")


def test_an_empty_table_is_told(shop: Platform) -> None:
    shop.execute("truncate products")
    preview = looked()
    assert preview.warnings == ["products: table products has no rows; is it the right one?"]


def test_a_question_that_takes_too_long_is_told_as_not_known(
    shop: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "QUESTION_SECONDS", 0.3)
    queries = tmp_path / "queries"
    queries.mkdir()
    (queries / "orders.sql").write_text(
        "select *, pg_sleep(0.01) is null as slept from orders -- a view that takes its time"
    )
    monkeypatch.setenv("SHOP_QUERIES", str(queries))
    preview = looked()
    assert preview.verdict == "unknown"
    [unknown] = preview.unknown
    assert unknown.startswith("orders: a sample of 10,000 rows: took longer than 0")
    # What could be read is shown, and so are the tables beside it.
    assert orders_of(preview).place == "orders.sql"
    assert preview.tables[0].sampled_rows == 1


def test_a_locked_table_is_not_known(shop: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "QUESTION_SECONDS", 0.3)
    with psycopg2.connect(shop.dsn) as other, other.cursor() as cursor:
        cursor.execute("lock table orders in access exclusive mode")
        preview = looked()
    other.close()
    assert preview.verdict == "unknown"
    assert preview.unknown[0].startswith("orders: took longer than 0")


def test_a_view_that_fails_is_broken(shop: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "queries").mkdir()
    (tmp_path / "queries" / "products.sql").write_text(
        "select product_id, product_name, category, 1 / (product_id - 1) as unit_cost, updated_at from products"
    )
    monkeypatch.setenv("SHOP_QUERIES", str(tmp_path / "queries"))
    preview = looked()
    assert preview.verdict == "not ready"
    assert preview.broken == [
        "products: products.sql cannot be read: division by zero; correct the value or the query"
    ]


def test_the_screen_fits_and_shows_what_people_wrote_as_it_is(
    shop: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.execute("update orders set status = '[bold]' where order_id <= 3")
    show(looked(), Console(width=80))
    text = capsys.readouterr().out
    assert "1: [bold]" in text
    tables = text.partition("Warnings")[0].splitlines()
    assert max(map(len, tables)) <= 80
    assert text.splitlines()[-1].startswith("READY WITH WARNINGS next: python -m flows.daily")
