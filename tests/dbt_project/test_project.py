"""The dbt project on a small shop in DuckDB: built, changed, built again, compared with silver.

The tests share the warehouse of `shop`, in this order; dbt runs in this process, one at a time.
What the marts should hold is computed here, straight from silver, by SQL that shares nothing with
the models.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
import yaml
from deltalake import write_deltalake

from blocks.settings.settings import Settings
from lake.catalog import catalog
from lake.delta import Lake
from tasks.inventory.reorder_points import read_products
from tasks.inventory.silver import ensure_tables
from tasks.inventory.stock_levels import Stock
from tasks.warehouse.duckdb import DuckDBWarehouse
from tasks.warehouse.load import load_warehouse
from tests.support.dbt_shop import AS_OF, CHANGES, PROJECT, SILVER, Node, Shop
from tests.support.rows import DAY, at

EXPECTED_ORDERS = """
select
    o.order_id, o.order_date, o.customer_id,
    ifnull(c.customer_name, 'unknown'), ifnull(c.customer_segment, 'unknown'),
    ifnull(c.region, 'unknown'), o.product_id,
    ifnull(p.product_name, 'unknown'), ifnull(p.category, 'unknown'),
    o.quantity, o.amount, p.unit_cost * o.quantity, o.amount - p.unit_cost * o.quantity, o.status,
    ifnull(o.order_number, o.order_id::varchar),
    o.customer_id not in (select customer_id from silver.customers),
    o.product_id not in (select product_id from silver.products),
    o.updated_at,
    o.deleted_at,
    list_max([o.load_id, c.load_id, p.load_id])
from silver.orders as o
left join silver.customers as c using (customer_id)
left join silver.products as p using (product_id)
order by 1
"""

# Without its two quotients, which `expected_sales` computes outside SQL.
EXPECTED_SALES = """
select
    o.order_date, ifnull(p.category, 'unknown') as category, ifnull(c.region, 'unknown') as region,
    ifnull(c.customer_segment, 'unknown') as customer_segment,
    count(o.order_id), count(distinct o.customer_id), sum(o.quantity), sum(o.amount),
    ifnull(sum(o.amount) filter (p.unit_cost is not null), 0),
    sum(o.amount - p.unit_cost * o.quantity)
from silver.orders as o
left join silver.customers as c using (customer_id)
left join silver.products as p using (product_id)
group by 1, 2, 3, 4
order by 1, 2, 3, 4
"""

EXPECTED_CUSTOMERS = """
with ids as (select customer_id from silver.customers union select customer_id from silver.orders)
select
    ids.customer_id,
    (select region from silver.customers as c where c.customer_id = ids.customer_id),
    ids.customer_id not in (select customer_id from silver.customers),
    (select min(order_date) from silver.orders as o where o.customer_id = ids.customer_id),
    (select max(order_date) from silver.orders as o where o.customer_id = ids.customer_id),
    (select count(*) from silver.orders as o where o.customer_id = ids.customer_id),
    (select ifnull(sum(amount), 0) from silver.orders as o where o.customer_id = ids.customer_id)
from ids
order by 1
"""

EXPECTED_FUNNEL = """
with days as (
    select event_date as d from silver.clickstream union select order_date from silver.orders
),
clicks as (
    select *, event_type as step, ifnull(session_id, user_id) as session from silver.clickstream
)
select
    d,
    (select count(distinct user_id) from silver.clickstream where event_date = d),
    (select count(distinct session) from clicks where event_date = d),
    (select count(distinct session) from clicks where event_date = d and step = 'product_view'),
    (select count(distinct session) from clicks where event_date = d and step = 'add_to_cart'),
    (select count(distinct session) from clicks where event_date = d and step = 'checkout'),
    (select count(distinct session) from clicks where event_date = d and step = 'purchase'),
    (select count(*) from silver.orders where order_date = d),
    (select count(distinct customer_id) from silver.orders where order_date = d)
from days
order by 1
"""

CUSTOMERS = """
select
    customer_id, nullif(region, 'unknown'), is_unknown, first_order_date, last_order_date,
    total_orders, lifetime_amount
from gold.dim_customers
order by 1
"""

FUNNEL = """
select
    event_date, total_visitors, total_sessions, product_view_sessions, add_to_cart_sessions,
    checkout_sessions, purchase_sessions, total_orders, unique_customers
from gold.agg_daily_funnel
order by 1
"""

EXPECTED_STOCK = """
select i.product_id, sum(i.on_hand), max(i.event_at)
from silver.inventory as i
where (i.product_id, i.warehouse_id, i.event_at) in (
    select (product_id, warehouse_id, max(event_at)) from silver.inventory group by product_id, warehouse_id
)
group by 1 order by 1
"""

EXPECTED_LEVELS = """
select
    d.event_date, k.product_id, k.warehouse_id,
    (
        select max_by(on_hand, event_at) from silver.inventory as i
        where i.product_id = k.product_id and i.warehouse_id = k.warehouse_id and i.event_date <= d.event_date
    ) as closing_on_hand
from (select distinct event_date from silver.inventory) as d,
    (select distinct product_id, warehouse_id from silver.inventory) as k
where closing_on_hand is not null
order by 1, 2, 3
"""

TABLES = [
    "gold.inventory_status",
    "gold.fct_inventory_daily",
    "gold.fct_orders",
    "gold.dim_customers",
    "gold.dim_products",
    "gold.agg_daily_sales",
    "gold.customer_segments",
    "gold.agg_daily_funnel",
    "intermediate.int_customer_orders",
    "intermediate.int_daily_orders",
    "intermediate.int_daily_sessions",
    "snapshots.snap_customers",
    "snapshots.snap_products",
]

# Of each product two events of one moment, in the broker's order, by which the second is the newer:
# (event_id, product_id, on_hand, minute in which it was sent, topic, partition, offset).
TIES = [
    # Ids of the form that the shop gives: as text, 10 comes before 9.
    ("2024-01-13-9", 1, 7, 0, "inventory", 0, 9),
    ("2024-01-13-10", 1, 4, 0, "inventory", 0, 10),
    # A producer whose clock went back.
    ("b1", 2, 7, 5, "inventory", 0, 11),
    ("b2", 2, 4, 0, "inventory", 0, 12),
    # The topic got more partitions, then another name.
    ("c2", 3, 7, 0, "inventory", 0, 20),
    ("c1", 3, 4, 0, "inventory", 1, 3),
    ("d2", 4, 7, 0, "inventory", 1, 20),
    ("d1", 4, 4, 0, "inventory-2", 0, 3),
]

# What is broken, how, and the test that must say so.
DAMAGES = [
    (
        "update gold.fct_orders set order_amount = -1 where order_id = 100",
        "assert_positive_amounts",
    ),
    ("update gold.fct_orders set quantity = 0 where order_id = 100", "assert_positive_amounts"),
    ("delete from gold.fct_orders where order_id = 100", "assert_no_order_lost"),
    (
        "update gold.agg_daily_sales set total_revenue = total_revenue + 0.01"
        " where order_date = '2024-02-20'",
        "assert_sales_equal_orders",
    ),
    (
        "update gold.fct_orders set order_amount = order_amount - 0.01 where order_id = 90",
        "assert_sales_equal_orders",
    ),
    (
        "delete from gold.agg_daily_sales where order_date = '2024-03-02'",
        "assert_sales_equal_orders",
    ),
    (
        "insert into gold.agg_daily_sales from gold.agg_daily_sales limit 1",
        "unique_combination_of_columns_agg_daily_sales_order_date__category__region__customer_segment",
    ),
    (
        "update gold.fct_orders set profit_amount = order_amount + 1 where order_id = 100",
        "expression_is_true_fct_orders_profit_amount___order_amount",
    ),
    ("update gold.fct_orders set region = null where order_id = 100", "fct_orders_has_no_gaps"),
    (
        "update gold.fct_orders set customer_id = 404 where order_id = 100",
        "relationships_fct_orders_customer_id__customer_id__ref_dim_customers_",
    ),
    (
        "update gold.fct_orders set order_date = order_date - 30",
        "recency_fct_orders_day__order_date__1",
    ),
    ("delete from gold.fct_orders", "recency_fct_orders_day__order_date__1"),
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("dbt")
    shop = Shop(folder / "warehouse.duckdb")
    shop.sql(SILVER)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WAREHOUSE", "duckdb")
        environment.setenv("DUCKDB_PATH", str(shop.path))
        environment.setenv("DBT_TARGET_PATH", str(folder / "target"))
        environment.setenv("DBT_AS_OF", AS_OF)
        environment.setenv("DBT_LOG_PATH", str(folder / "logs"))
        yield shop


@pytest.fixture(scope="module")
def first_build(shop: Shop) -> dict[str, Node]:
    return shop.dbt("build")


@pytest.fixture(scope="module")
def second_build(shop: Shop, first_build: dict[str, Node]) -> dict[str, Node]:
    shop.sql(CHANGES)
    return shop.dbt("build", "--exclude-resource-type", "unit_test")


def unsuccessful(nodes: dict[str, Node]) -> dict[str, str]:
    fine = {"success", "pass", "no-op"}
    return {name: node.status for name, node in nodes.items() if node.status not in fine}


def rounded(numerator: Decimal | None, denominator: Decimal | int) -> Decimal | None:
    if numerator is None or not denominator:
        return None
    return (numerator / denominator).quantize(Decimal("0.01"), ROUND_HALF_UP)


def expected_sales(shop: Shop) -> list[tuple]:
    rows = []
    for *group, orders, customers, quantity, revenue, known, profit in shop.sql(EXPECTED_SALES):
        average = rounded(revenue, orders)
        margin = None if profit is None else rounded(100 * profit, known)
        rows.append((*group, orders, customers, quantity, revenue, average, known, profit, margin))
    return rows


def assert_equal_to_silver(shop: Shop) -> None:
    orders = shop.sql("select * from gold.fct_orders order by 1")
    sales = shop.sql(
        "select * exclude (total_order_rows, load_id) from gold.agg_daily_sales order by 1, 2, 3, 4"
    )
    assert orders == shop.sql(EXPECTED_ORDERS) != []
    assert sales == expected_sales(shop) != []
    assert shop.sql(CUSTOMERS) == shop.sql(EXPECTED_CUSTOMERS) != []
    assert shop.sql(FUNNEL) == shop.sql(EXPECTED_FUNNEL) != []
    stock = shop.sql("select product_id, on_hand, newest_event_at from gold.inventory_status order by 1")
    assert stock == shop.sql(EXPECTED_STOCK) != []
    levels = shop.sql(
        "select inventory_date, product_id, warehouse_id, closing_on_hand from gold.fct_inventory_daily order by all"
    )
    assert levels == shop.sql(EXPECTED_LEVELS) != []


def test_first_build_equals_silver(shop: Shop, first_build: dict[str, Node]) -> None:
    # The newest order of the first load is one day before AS_OF: recent enough.
    assert unsuccessful(first_build) == {}
    assert sum(name in first_build for name in unit_test_names()) == len(unit_test_names()) > 5
    assert_equal_to_silver(shop)


def test_second_build_equals_silver_after_changes(shop: Shop, second_build: dict[str, Node]) -> None:
    assert unsuccessful(second_build) == {}
    assert_equal_to_silver(shop)


def test_the_mart_says_of_stock_what_the_alerts_say(
    shop: Shop, second_build: dict[str, Node], tmp_path: Path
) -> None:
    lake = Lake(tmp_path.as_uri())
    with duckdb.connect(shop.path) as connection:
        for table in ("silver.orders", "silver.products"):
            write_deltalake(lake.uri(table), connection.sql(f"from {table}").to_arrow_table())
    products = read_products(lake, Settings())
    found = shop.sql(
        "select product_id, on_hand, units_per_day, reorder_point, state, days_of_cover, total_gaps "
        "from gold.inventory_status order by 1"
    )
    # 15 days of trade: product 10 has sold 4 pieces in them, product 12 eight.
    assert [(row[0], float(row[2]), *row[3:5], row[6]) for row in found] == [
        (10, 0.2857, 3, "ok", 1),
        (12, 0.5714, 6, "out", 0),
    ]
    for product_id, on_hand, units_per_day, reorder_point, state, days_of_cover, _ in found:
        product = products[product_id]
        assert (product.units_per_day, product.reorder_point) == (float(units_per_day), reorder_point)
        assert product.state(on_hand) == state
        assert product.days_of_cover(on_hand) == pytest.approx(float(days_of_cover), abs=0.005)


def test_of_events_of_one_moment_mart_and_alerts_count_the_same_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, warehouse = Lake((tmp_path / "lake").as_uri()), Shop(tmp_path / "warehouse.duckdb")
    rows = [
        {
            "event_id": event_id,
            "product_id": product_id,
            "warehouse_id": "north",
            "quantity_change": -3,
            "on_hand": on_hand,
            "event_at": at(DAY),
            "event_date": DAY,
            "sent_at": at(DAY, minute=minute),
            "topic": topic,
            "partition": partition,
            "offset": offset,
        }
        for event_id, product_id, on_hand, minute, topic, partition, offset in TIES
    ]
    silver, _ = ensure_tables(lake)
    write_deltalake(silver, pa.Table.from_pylist(rows, schema=catalog()["inventory"].schema), mode="append")
    monkeypatch.setitem(Settings.model_config, "env_file", None)
    for name, value in {
        "LAKE_URI": lake.root,
        "WAREHOUSE": "duckdb",
        "DUCKDB_PATH": str(warehouse.path),
        "DBT_TARGET_PATH": str(tmp_path / "target"),
        "DBT_LOG_PATH": str(tmp_path / "logs"),
    }.items():
        monkeypatch.setenv(name, value)
    warehouse.sql(SILVER + "drop table silver.inventory")
    load_warehouse.fn(DuckDBWarehouse(warehouse.path, warehouse.path), lake, tables=["inventory"])
    no_tests = ("--exclude-resource-types", "test", "unit_test")
    nodes = warehouse.dbt("build", "--select", "+inventory_status", "+fct_inventory_daily", *no_tests)
    assert unsuccessful(nodes) == {}

    with Stock(lake) as stock:
        levels = stock.on_hand()
    assert levels == {1: 4, 2: 4, 3: 4, 4: 4}
    mart = warehouse.sql("select product_id, on_hand, total_gaps from gold.inventory_status order by 1")
    assert mart == [(product_id, on_hand, 0) for product_id, on_hand in levels.items()]
    closing = warehouse.sql("select product_id, closing_on_hand from gold.fct_inventory_daily order by 1")
    assert closing == list(levels.items())


@pytest.mark.parametrize(
    ("order_id", "column", "expected"),
    [
        pytest.param(100, "status", "delivered", id="old order, new status"),
        pytest.param(102, "region", "east", id="old order, moved customer"),
        pytest.param(90, "product_name", "lamp", id="late order, old order_date"),
        pytest.param(103, "product_name", "ball", id="product arrived after its order"),
        pytest.param(103, "is_unknown_product", False, id="product is known now"),
        pytest.param(104, "customer_name", "Ivy", id="customer arrived after the order"),
        pytest.param(104, "is_unknown_customer", False, id="customer is known now"),
        pytest.param(105, "load_id", 1, id="untouched order keeps its load"),
    ],
)
def test_incremental_orders(
    shop: Shop, second_build: dict[str, Node], order_id: int, column: str, expected: object
) -> None:
    assert shop.sql(f"select {column} from gold.fct_orders where order_id = {order_id}") == [(expected,)]


def test_segments_share_scores_of_equal_values(shop: Shop, second_build: dict[str, Node]) -> None:
    # Recency counts from 2024-03-04; Cleo and Bob both ordered twice, as nobody else did.
    assert shop.sql(
        "select customer_id, recency_days, frequency, monetary::varchar, r_score, f_score, m_score,"
        " rfm_segment, customer_segment from gold.customer_segments order by 1"
    ) == [
        (1, 0, 3, "160.00", 5, 5, 5, "champion", "gold"),
        (2, 2, 2, "53.22", 2, 3, 4, "at_risk", "new"),
        (3, 1, 2, "5.35", 4, 3, 1, "regular", "gold"),
        (4, 13, 1, "50.00", 1, 1, 3, "hibernating", "new"),
        (9, 2, 1, "30.00", 2, 1, 2, "hibernating", "gold"),
    ]


def test_snapshot_keeps_the_version_before(shop: Shop, second_build: dict[str, Node]) -> None:
    assert shop.sql(
        "select region, dbt_valid_to is null from snapshots.snap_customers"
        " where customer_id = 2 order by dbt_valid_from"
    ) == [("south", False), ("east", True)]
    assert shop.sql(
        "select customer_id, known_versions from gold.dim_customers where customer_id in (2, 9) order by 1"
    ) == [(2, 2), (9, 1)]


def test_unchanged_build_changes_nothing(shop: Shop, second_build: dict[str, Node]) -> None:
    before = shop.rows_of(TABLES)
    assert all(before.values())
    assert unsuccessful(shop.dbt("build", "--exclude-resource-type", "unit_test")) == {}
    assert shop.rows_of(TABLES) == before


def test_late_older_version_opens_no_version(shop: Shop, second_build: dict[str, Node]) -> None:
    versions = shop.sql("select count(*) from snapshots.snap_products")
    shop.sql("create table kept as from silver.products")
    shop.sql("update silver.products set product_name = 'old', updated_at = '2023-01-01 00:00:00+00'")
    shop.dbt("snapshot")
    shop.sql("delete from silver.products")
    shop.sql("insert into silver.products select * exclude (deleted_at) from kept; drop table kept")
    assert shop.sql("select count(*) from snapshots.snap_products") == versions


def test_full_refresh_equals_increments(shop: Shop, second_build: dict[str, Node]) -> None:
    marts = [table for table in TABLES if table.startswith("gold.")]
    before = shop.rows_of(marts)
    shop.dbt("run", "--full-refresh")
    assert shop.rows_of(marts) == before


@contextmanager
def damaged(shop: Shop, *damages: str) -> Iterator[None]:
    """The marts with the damage done, and whole again afterwards."""
    tables = ["fct_orders", "agg_daily_sales"]
    for table in tables:
        shop.sql(f"create table kept_{table} as from gold.{table}")
    try:
        for damage in damages:
            shop.sql(damage)
        yield
    finally:
        for table in tables:
            shop.sql(f"delete from gold.{table}; insert into gold.{table} from kept_{table}")
            shop.sql(f"drop table kept_{table}")


@pytest.mark.parametrize(("damage", "test"), DAMAGES)
def test_each_check_finds_its_damage(
    shop: Shop, second_build: dict[str, Node], damage: str, test: str
) -> None:
    # The SQL that dbt ran: another run of dbt for each of these would take three seconds.
    check = second_build[test].compiled_code
    assert check
    assert shop.sql(check) == []
    with damaged(shop, damage):
        assert shop.sql(check) != []


def test_damage_fails_the_build_and_lateness_warns(shop: Shop, second_build: dict[str, Node]) -> None:
    late = "recency_fct_orders_day__order_date__1"
    tests = ["assert_positive_amounts", "assert_sales_equal_orders", late]
    with damaged(
        shop,
        "update gold.fct_orders set order_amount = -1 where order_id = 100",
        "update gold.fct_orders set order_date = order_date - 30",
    ):
        nodes = shop.dbt("test", "--select", *tests)
    assert {name: node.status for name, node in nodes.items()} == {
        "assert_positive_amounts": "fail",
        "assert_sales_equal_orders": "fail",
        late: "warn",
    }


# Sweeps over the tree.


def properties(path: Path) -> dict:
    """The first entry of a properties file, whatever its kind."""
    content = yaml.safe_load(path.read_text())
    kind = next(k for k in ("models", "snapshots", "data_tests", "macros", "semantic_models") if k in content)
    return content[kind][0]


def unit_test_names() -> set[str]:
    return {
        test["name"]
        for path in PROJECT.glob("models/**/*.yml")
        for test in yaml.safe_load(path.read_text()).get("unit_tests", [])
    }


def test_every_sql_has_its_yml() -> None:
    files = [f for f in PROJECT.glob("**/*.sql") if "generic" not in f.parts and "target" not in f.parts]
    assert len(files) > 15
    for file in files:
        yml = file.with_suffix(".yml")
        assert yml.exists(), f"{file.name} has no {yml.name} beside it"
        assert properties(yml)["name"] == file.stem


def test_every_table_says_its_grain() -> None:
    files = [f for d in ("models", "snapshots", "tests") for f in (PROJECT / d).glob("**/*.yml")]
    described = [f for f in files if f.name not in {"__sources.yml", "exposures.yml"}]
    assert len(described) > 15
    for file in described:
        assert "Grain:" in properties(file)["description"], f"{file.name} does not say its grain"
    silver = yaml.safe_load((PROJECT / "models/staging/__sources.yml").read_text())["sources"][0]
    assert len(silver["tables"]) == 5
    assert all("Grain:" in table["description"] for table in silver["tables"])


# A view that is grouped by its key: to ask whether it is unique would compute it once more.
GROUPED = {"int_product_orders.yml"}


def test_every_key_is_tested() -> None:
    files = [*PROJECT.glob("models/*/[!_]*_*.yml"), *PROJECT.glob("snapshots/*.yml")]
    keyed = 0
    for file in files:
        table = properties(file)
        first = table["columns"][0]
        tests = [t if isinstance(t, str) else next(iter(t)) for t in first.get("data_tests", [])]
        table_tests = [next(iter(t)) for t in table.get("data_tests", [])]
        due = {"not_null"} if file.name in GROUPED else {"unique", "not_null"}
        assert due <= set(tests) or "unique_combination_of_columns" in table_tests, file.name
        keyed += 1
    assert keyed >= 15


def test_every_column_is_described(shop: Shop, first_build: dict[str, Node]) -> None:
    files = [*PROJECT.glob("models/*/[!_]*_*.yml"), *PROJECT.glob("snapshots/*.yml")]
    actual = dict(
        shop.sql(
            "select table_name, list(column_name order by column_name)"
            " from information_schema.columns"
            " where table_schema in ('staging', 'intermediate', 'gold', 'snapshots')"
            " group by table_name"
        )
    )
    assert len(actual) >= len(files) > 15
    for file in files:
        table = properties(file)
        assert all(column["description"] for column in table["columns"])
        assert sorted(c["name"] for c in table["columns"]) == actual[table["name"]], file.name
