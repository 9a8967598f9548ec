"""First queries for shops with other names, on a real server; and that they are then ready."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from blocks.settings.settings import EnvironmentSettings
from lake.contract import read_contract
from tasks.connect.scaffold import scaffold
from tests.support.platforms import empty_database

SHOP = """
create table res_partner (id integer primary key, display_name text, city text, write_date timestamp);
create table product_category (id integer primary key, name text);
create table product_template (
    id integer primary key, title text, categ_id integer references product_category, standard_price numeric(10, 2),
    write_date timestamp);
create table sale_order (
    id integer primary key, partner_id integer references res_partner, date_order timestamp, state text,
    write_date timestamp);
create table sale_order_line (
    id integer primary key, order_id integer references sale_order, product_id integer references product_template,
    product_uom_qty numeric, price_total numeric(10, 2), write_date timestamp);
"""
KEYED = """
create schema web;
create table web."Customer" (id uuid primary key, email citext_, country text, updated_at timestamptz);
create table web.product (id uuid primary key, title text, type text, cost double precision, updated_at timestamptz);
create table web."order" (
    id uuid primary key, customer_id uuid, product_id uuid, created_at timestamptz, total numeric(10, 2), qty integer,
    status text);
insert into web."order" (id, status) values
    (gen_random_uuid(), 'Paid'), (gen_random_uuid(), 'cancelled'), (gen_random_uuid(), 'lost in space');
""".replace("citext_", "varchar(80)")


@pytest.fixture
def shop(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The DSN of a database without tables."""
    for name in ("SHOP_QUERIES", "SHOP_TIMEZONE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setitem(EnvironmentSettings.model_config, "env_file", None)
    with empty_database(postgres, tables=False) as dsn:
        monkeypatch.setenv("SHOP_DSN", dsn)
        yield dsn


def make(dsn: str, statements: str) -> None:
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(statements)
    connection.close()


def lines_of(file: Path) -> list[str]:
    return [line.strip() for line in file.read_text().splitlines()]


def test_order_lines_take_the_rest_from_their_order(shop: str, tmp_path: Path) -> None:
    make(shop, SHOP)
    written = scaffold(EnvironmentSettings(shop_timezone="Europe/Riga"), tmp_path)
    assert written.is_whole
    orders = lines_of(tmp_path / "orders.sql")
    assert 'base."id" as "order_id",' in orders
    assert 'ref_1."partner_id" as "customer_id",' in orders
    assert 'base."price_total" as "amount",' in orders
    assert 'base."product_uom_qty" as "quantity",' in orders
    assert any(
        line.startswith("(ref_1.\"date_order\" at time zone 'UTC' at time zone 'Europe/Riga')::date")
        for line in orders
    )
    assert any(line.startswith('greatest(base."write_date", ref_1."write_date")') for line in orders)
    assert orders[-1] == 'left join "sale_order" as ref_1 on ref_1."id" = base."order_id"'
    products = lines_of(tmp_path / "products.sql")
    assert 'ref_1."name" as "category",' in products
    assert 'base."standard_price" as "unit_cost",' in products
    # Times without a zone are read in the one that the contract names.
    assert read_contract(tmp_path / "orders.yaml").column("updated_at").timezone == "UTC"


def test_keys_of_other_types_have_contracts_beside_the_queries(shop: str, tmp_path: Path) -> None:
    make(shop, KEYED)
    assert scaffold(EnvironmentSettings(), tmp_path).is_whole
    customers = read_contract(tmp_path / "customers.yaml")
    assert [(each.name, each.type) for each in customers.columns][:2] == [
        ("customer_id", "uuid"),
        ("customer_name", "text"),
    ]
    assert customers.column("customer_name").is_personal
    assert lines_of(tmp_path / "customers.sql")[-1] == 'from "web"."Customer" as base'
    # Nothing says when an order changed.
    orders = read_contract(tmp_path / "orders.yaml")
    assert (orders.changes, orders.column("product_id").type) == ("snapshot", "uuid")
    text = (tmp_path / "orders.sql").read_text()
    assert "when 'Paid' then 'processing' when 'cancelled' then 'cancelled' else" in text
    assert "TODO: is each word right? What are lost in space?" in text
    assert 'base."cost"::numeric(12,2) as "unit_cost"' in (tmp_path / "products.sql").read_text()


def test_no_file_is_overwritten(shop: str, tmp_path: Path) -> None:
    make(shop, KEYED)
    (tmp_path / "orders.sql").write_text("select 1")
    (tmp_path / "customers.yaml").write_text("mine")
    written = scaffold(EnvironmentSettings(), tmp_path)
    assert (tmp_path / "orders.sql").read_text() == "select 1"
    assert (tmp_path / "customers.yaml").read_text() == "mine"
    assert (tmp_path / "customers.sql").exists()
    assert any("orders.sql is there already" in each for each in written.sentences)
    before = {file: file.read_text() for file in tmp_path.iterdir()}
    scaffold(EnvironmentSettings(), tmp_path)
    assert {file: file.read_text() for file in tmp_path.iterdir()} == before


def test_a_table_that_fits_needs_no_query(database: str, shop: str, tmp_path: Path) -> None:
    written = scaffold(EnvironmentSettings(shop_dsn=database), tmp_path / "none")
    assert written.is_whole
    assert all("fits as it is" in each for each in written.sentences)
    assert not (tmp_path / "none").exists()


def test_a_shop_without_such_tables_is_told(shop: str, tmp_path: Path) -> None:
    make(shop, "create table weather (id integer primary key, degrees numeric)")
    written = scaffold(EnvironmentSettings(), tmp_path)
    assert not written.is_whole
    assert list(tmp_path.iterdir()) == []
    assert any(each.startswith("orders: no table of the shop looks like it") for each in written.sentences)
