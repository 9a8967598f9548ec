"""The SELECTs for shops of other kinds: over five days of such a shop they give what its own tables say."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY
from lake.contract import read_contract
from tests.properties.compare import assert_same
from tests.support.foreign_shops.expected import ITEMS
from tests.support.foreign_shops.kinds import KINDS
from tests.support.foreign_shops.shop import DAYS, ZONE, ForeignShop
from tests.support.platforms import empty_database

STATUSES = {"pending", "processing", "shipped", "delivered", "cancelled"}
# The row rules of the contracts, which the pipeline applies to whatever a SELECT gives.
ORDERS = """
select o.order_id::text, o.order_date, o.customer_id::text, coalesce(c.customer_name, 'unknown'),
    coalesce(c.customer_segment, 'unknown'), coalesce(c.region, 'unknown'), o.product_id::text,
    coalesce(p.product_name, 'unknown'), coalesce(p.category, 'unknown'), o.quantity, o.amount,
    p.unit_cost * o.quantity, o.status, o.order_number
from selected.orders as o
left join selected.customers as c on c.customer_id = o.customer_id
left join (
    select product_id::text, product_name, category, unit_cost from selected.products
    union all
    select product_id, product_name, category, unit_cost from expected.lost_products
) as p on p.product_id = o.product_id::text
where o.amount > 0 and o.amount <= 1000000 and o.quantity between 1 and 100
    and o.quantity = trunc(o.quantity)
    and o.order_date <= (o.updated_at at time zone 'Europe/Berlin')::date
"""
EXPECTED = """
select order_id, order_date, customer_id, customer_name, customer_segment, region, product_id, product_name, category,
    quantity, amount, cost_amount, status, order_number
from expected.items
"""
# What the shop itself says of its baskets; Medusa computes such totals whenever it shows them.
BASKETS = {
    "odoo": """select name, amount_total from sale_order
        where state in ('sale', 'cancel') and currency_id = 1 and amount_total <> 0""",
    "saleor": """select number::text, subtotal_gross_amount from order_order
        where status <> 'draft' and currency = 'EUR' and lines_count > 0""",
}


KEYS = {"orders": "order_id", "customers": "customer_id", "products": "product_id"}
OVERLAP = dt.timedelta(hours=1)
# A run as a table sees it: the rows of the window replace theirs, those that are gone go (products stay).
RUN = """
create temporary table found as select * from selected.{table} where updated_at >= %(start)s and updated_at < %(end)s;
delete from mirror.{table} where {key} in (select {key} from found);
insert into mirror.{table} select * from found;
drop table found;
delete from mirror.{table} where {key} not in (select {key} from selected.{table});
"""


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.kind)
def shop(request: pytest.FixtureRequest, postgres: str) -> Iterator[ForeignShop]:
    """Five days of a shop, with the SELECTs as views, and in `mirror` what daily runs would have read of them."""
    with empty_database(postgres, tables=False) as dsn:
        made = request.param(dsn)
        made.rows(ITEMS + "; create schema selected; create schema mirror")
        for table in KEYS:
            query = (made.queries / f"{table}.sql").read_text(encoding="utf-8")
            made.rows(f"create view selected.{table} as {query}")
            made.rows(f"create table mirror.{table} as select * from selected.{table} limit 0")
        for day in DAYS:
            made.play(day)
            made.rows("analyze")
            begin, end = (
                dt.datetime.combine(each, dt.time(), ZONE) for each in (day, day + dt.timedelta(days=1))
            )
            window = {"start": begin.astimezone(dt.UTC) - OVERLAP, "end": end}
            for table, key in KEYS.items():
                made.rows(RUN.format(table=table, key=key), window)
        # Rows, not views: the checks join them many times.
        made.rows("alter schema selected rename to views; create schema selected")
        for table in KEYS:
            made.rows(f"create table selected.{table} as select * from views.{table}")
        yield made
        made.connection.close()


def test_the_cursor_moves_with_every_change(shop: ForeignShop) -> None:
    """Also of what lies in another table than the row: the order of a line, the category of a product."""
    for table in KEYS:
        read, there = (
            shop.rows(f"select t::text from {schema}.{table} as t") for schema in ("mirror", "selected")
        )
        assert_same(f"{table} of {shop.kind}, read day by day,", read, there)


def test_the_selects_give_what_the_shop_says(shop: ForeignShop) -> None:
    found, due = shop.rows(ORDERS), shop.rows(EXPECTED)
    assert len(due) > 150
    assert_same(f"the SELECTs of {shop.kind}", found, due)


@pytest.mark.parametrize(
    "shop", [kind for kind in KINDS if kind.kind in BASKETS], indirect=True, ids=lambda kind: kind.kind
)
def test_baskets_sum_up_to_the_shops_own_totals(shop: ForeignShop) -> None:
    """Also with the lines that row rules reject: no money is lost on the way to the rules."""
    summed = dict(shop.rows("select order_number, sum(amount) from selected.orders group by 1"))
    totals = dict(shop.rows(BASKETS[shop.kind]))
    assert totals
    assert {number: summed.get(number, Decimal(0)) for number in totals} == totals


def test_a_key_is_one_row_and_every_row_has_a_time(shop: ForeignShop) -> None:
    for table, key in KEYS.items():
        ((rows, keys, times),) = shop.rows(
            f"select count(*), count(distinct {key}), count(updated_at) from selected.{table}"
        )
        assert rows == keys == times > 10


def test_every_status_is_one_of_ours(shop: ForeignShop) -> None:
    assert set(shop.values("select distinct status from selected.orders")) <= STATUSES
    assert len(shop.values("select distinct status from selected.orders")) >= 4


def test_the_days_have_what_makes_shops_difficult(shop: ForeignShop) -> None:
    """Baskets of several lines, rejected lines, guests or nameless customers, and more than one day."""
    one = "select count(*) from selected.orders "
    assert (
        shop.values(
            "select max(count) from (select count(*) from selected.orders group by order_number) as b"
        )[0]
        > 3
    )
    assert shop.values(one + "where amount <= 0 or quantity <> trunc(quantity) or quantity > 100")[0] >= len(
        DAYS
    )
    assert shop.values("select count(*) from selected.customers where customer_name is null")[0] > 0
    assert shop.values("select count(distinct order_date) from selected.orders")[0] >= len(DAYS)


CONTRACTS = sorted((REPOSITORY / "docs" / "howto" / "shops").glob("*/*.yaml"))


def test_shops_with_other_keys_bring_contracts() -> None:
    assert {(file.parent.name, file.stem) for file in CONTRACTS} == {
        (shop, table) for shop in ("saleor", "medusa") for table in (*KEYS, "inventory")
    }


@pytest.mark.parametrize("file", CONTRACTS, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_a_shops_contract_differs_in_the_types_of_keys_alone(file: Path) -> None:
    ours, theirs = (
        read_contract(each) for each in (REPOSITORY / "expectations" / "contracts" / file.name, file)
    )
    keys = {"order_id", "customer_id", "product_id"}
    described = {column.name: replace(column, description="", warnings=()) for column in theirs.columns}
    for column in ours.columns:
        other = described[column.name]
        kept = replace(column, description="", warnings=())
        assert replace(other, type=column.type if column.name in keys else other.type) == kept
        assert column.name not in keys or other.type in ("text", "uuid")
    assert (ours.key, ours.cursor, ours.deletes) == (theirs.key, theirs.cursor, theirs.deletes)
