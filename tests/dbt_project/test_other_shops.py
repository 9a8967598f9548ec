"""The dbt project on shops unlike the demo's: keys that are text, baskets of several rows, older marts.

The expected values are added up by hand.
"""

from pathlib import Path

import pytest

from tests.dbt_project.test_project import unsuccessful
from tests.support.dbt_shop import AS_OF, SILVER, Shop

# Keys as another shop has them, and three baskets: A7 of two products in two categories, B1 of one
# category, and a blank number, which is none.
OTHER_KEYS = """
create or replace table silver.customers as
    select * replace ('c-' || customer_id as customer_id) from silver.customers;
create or replace table silver.products as
    select * replace ('SKU ' || product_id as product_id) from silver.products;
create or replace table silver.inventory as
    select * replace ('SKU ' || product_id as product_id) from silver.inventory;
create or replace table ops.reorder_policy as
    select * replace ('SKU ' || product_id as product_id) from ops.reorder_policy;
create or replace table silver.orders as
    select * replace (
        'o-' || order_id as order_id, 'c-' || customer_id as customer_id, 'SKU ' || product_id as product_id,
        case when order_id in (100, 101) then 'A7' when order_id in (105, 106) then 'B1'
            when order_id in (103, 104) then ' ' end as order_number
    )
    from silver.orders;
"""
LEVELS = ("run", "--select", "+fct_inventory_daily")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    made = Shop(tmp_path / "warehouse.duckdb")
    made.sql(SILVER)
    monkeypatch.setenv("WAREHOUSE", "duckdb")
    monkeypatch.setenv("DUCKDB_PATH", str(made.path))
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path / "target"))
    monkeypatch.setenv("DBT_AS_OF", AS_OF)
    monkeypatch.setenv("DBT_LOG_PATH", str(tmp_path / "logs"))
    return made


def dbt(shop: Shop, *arguments: str) -> None:
    assert unsuccessful(shop.dbt(*arguments)) == {}


def test_text_keys_and_baskets_of_several_rows(shop: Shop) -> None:
    shop.sql(OTHER_KEYS)
    dbt(shop, "build", "--exclude-resource-type", "unit_test")
    # Types and values of the shop's keys, and an order of its own for each row without a number.
    assert shop.sql("select order_id, order_number, product_id from gold.fct_orders order by 1") == [
        ("o-100", "A7", "SKU 10"),
        ("o-101", "A7", "SKU 12"),
        ("o-102", "o-102", "SKU 11"),
        ("o-103", "o-103", "SKU 19"),
        ("o-104", "o-104", "SKU 12"),
        ("o-105", "B1", "SKU 12"),
        ("o-106", "B1", "SKU 12"),
    ]
    # A7 counts in both of its categories, and once on its day.
    assert shop.sql(
        "select order_date::varchar, category, region, total_orders, total_revenue::varchar,"
        " avg_order_value::varchar from gold.agg_daily_sales order by 1, 2, 3"
    ) == [
        ("2024-03-01", "home", "north", 1, "99.99", "99.99"),
        ("2024-03-01", "home", "south", 1, "7.77", "7.77"),
        ("2024-03-01", "toys", "north", 1, "10.01", "10.01"),
        ("2024-03-02", "toys", "unknown", 1, "30.00", "30.00"),
        ("2024-03-02", "unknown", "south", 1, "45.45", "45.45"),
        ("2024-03-03", "toys", "unknown", 1, "5.35", "5.35"),
    ]
    funnel = "select event_date::varchar, total_orders from gold.agg_daily_funnel order by 1"
    assert shop.sql(funnel) == [("2024-03-01", 2), ("2024-03-02", 2), ("2024-03-03", 1), ("2024-03-04", 0)]
    customers = "select customer_id, {} from gold.{} order by 1"
    assert shop.sql(customers.format("total_orders, is_unknown", "dim_customers")) == [
        ("c-1", 1, False),
        ("c-2", 2, False),
        ("c-3", 1, False),
        ("c-4", 0, False),
        ("c-9", 1, True),
    ]
    assert shop.sql(customers.format("frequency", "customer_segments")) == [
        ("c-1", 1), ("c-2", 2), ("c-3", 1), ("c-9", 1),
    ]  # fmt: skip
    assert shop.sql("select product_id, total_orders from gold.dim_products order by 1") == [
        ("SKU 10", 1), ("SKU 11", 1), ("SKU 12", 3), ("SKU 19", 1),
    ]  # fmt: skip
    assert shop.sql("select product_id, product_name, on_hand from gold.inventory_status order by 1") == [
        ("SKU 10", "lamp", 14),
        ("SKU 12", "kite", 3),
    ]


def test_a_warehouse_from_before_order_numbers_gets_them_with_its_history(shop: Shop) -> None:
    run = ("run", "--select", "+fct_orders")
    dbt(shop, *run)
    others = "select * exclude (order_number) from gold.fct_orders order by 1"
    before = shop.sql(others)
    shop.sql("alter table gold.fct_orders drop column order_number")
    shop.sql("update silver.orders set order_number = 'A7' where order_id in (100, 101)")
    dbt(shop, *run)
    assert shop.sql(others) == before != []
    numbers = "select order_number from gold.fct_orders where order_id in (100, 101, 105) order by order_id"
    assert shop.sql(numbers) == [("A7",), ("A7",), ("105",)]
    # From then on, again, only what a load has changed.
    shop.sql("update silver.orders set order_number = 'not loaded' where order_id = 105")
    shop.sql("update silver.orders set order_number = 'B7', load_id = 2 where order_id = 101")
    dbt(shop, *run)
    assert shop.sql(numbers) == [("A7",), ("B7",), ("105",)]


def assert_levels_are_those_of_a_full_build(shop: Shop) -> None:
    """As the mart has gone on, so it would be made of all events that there are."""
    every_row = "select * from gold.fct_inventory_daily order by inventory_date, product_id, warehouse_id"
    gone_on = shop.sql(every_row)
    dbt(shop, *LEVELS, "--full-refresh")
    assert gone_on == shop.sql(every_row) != []


def test_levels_from_before_their_loads_were_kept_are_made_again(shop: Shop) -> None:
    dbt(shop, *LEVELS)
    for column in ("load_id", "newest_event_at"):
        shop.sql(f"alter table gold.fct_inventory_daily drop column {column}")
    dbt(shop, *LEVELS)
    assert_levels_are_those_of_a_full_build(shop)


@pytest.mark.parametrize("which", ["max", "min"], ids=["the newest date", "the first date"])
def test_levels_of_events_that_are_gone_are_gone(shop: Shop, which: str) -> None:
    """A lake that was restored has lost the events since: a whole date of them, or the only ones of a product."""
    shop.sql(
        "insert into silver.inventory by name select * replace ('one more' as event_id, 77 as product_id)"
        " from silver.inventory limit 1"
    )
    dbt(shop, *LEVELS)
    assert shop.sql("select count(*) > 0 from gold.fct_inventory_daily where product_id = 77") == [(True,)]
    shop.sql(
        "delete from silver.inventory where product_id = 77"
        f" or event_date = (select {which}(event_date) from silver.inventory)"
    )
    dbt(shop, *LEVELS)
    assert_levels_are_those_of_a_full_build(shop)
