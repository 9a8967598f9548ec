"""A small shop for the dbt project: its silver, in DuckDB, what changes in it, and dbt on it."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb
from dbt.cli.main import dbtRunner

from tasks.transform.dbt import PROJECT as PROJECT

AS_OF = "2024-03-04"
SILVER = """
create schema ops;
create table ops.deleted_rows (table_name varchar, key varchar, deletes varchar);
create table ops.reorder_policy (
    product_id bigint, lead_time_days decimal(9, 2), pack_size bigint, minimum_order bigint, on_order bigint,
    forecast_model varchar, forecast_per_day decimal(18, 4), forecast_date date, reorder_point bigint,
    order_up_to bigint, load_id bigint
);
create schema silver;
create table silver.orders (
    order_id bigint, customer_id bigint, product_id bigint, order_date date, amount decimal(12, 2),
    quantity integer, status varchar, updated_at timestamp, load_id bigint, order_number varchar,
    deleted_at timestamp generated always as (cast(null as timestamp)) virtual
);
create table silver.customers (
    customer_id bigint, customer_name varchar, customer_segment varchar, region varchar,
    updated_at timestamp, load_id bigint,
    deleted_at timestamp generated always as (cast(null as timestamp)) virtual
);
create table silver.products (
    product_id bigint, product_name varchar, category varchar, unit_cost decimal(12, 2),
    updated_at timestamp, load_id bigint,
    deleted_at timestamp generated always as (cast(null as timestamp)) virtual
);
create table silver.clickstream (
    event_id varchar, user_id varchar, session_id varchar, event_type varchar, page_url varchar,
    product_id varchar, event_at timestamp, event_date date, event_hour integer, load_id bigint
);
create table silver.inventory (
    event_id varchar, product_id bigint, warehouse_id varchar, quantity_change bigint, on_hand bigint,
    event_at timestamp, event_date date, sent_at timestamp, kafka_topic varchar, kafka_partition integer,
    kafka_offset bigint, load_id bigint
);

insert into silver.customers values
    (1, 'Ada', 'gold', 'north', '2024-01-01 00:00:00+00', 1),
    (2, 'Bob', 'new', 'south', '2024-01-01 00:00:00+00', 1),
    (3, 'Cleo', 'gold', null, '2024-01-01 00:00:00+00', 1),
    (4, 'Dan', 'new', 'west', '2024-01-01 00:00:00+00', 1);
insert into silver.products values
    (10, 'lamp', 'home', 20.05, '2024-01-01 00:00:00+00', 1),
    (11, 'mug', 'home', null, '2024-01-01 00:00:00+00', 1),
    (12, 'kite', 'toys', 3.33, '2024-01-01 00:00:00+00', 1);
-- Customer 9 and product 19 have not arrived.
insert into silver.orders values
    (100, 1, 10, '2024-03-01', 99.99, 2, 'pending', '2024-03-01 10:00:00+00', 1, null),
    (101, 1, 12, '2024-03-01', 10.01, 1, 'delivered', '2024-03-01 10:00:00+00', 1, null),
    (102, 2, 11, '2024-03-01', 7.77, 1, 'cancelled', '2024-03-01 11:00:00+00', 1, null),
    (103, 2, 19, '2024-03-02', 45.45, 3, 'shipped', '2024-03-02 09:00:00+00', 1, null),
    (104, 9, 12, '2024-03-02', 30.00, 5, 'processing', '2024-03-02 09:00:00+00', 1, null),
    (105, 3, 12, '2024-03-03', 2.67, 1, 'shipped', '2024-03-03 09:00:00+00', 1, null),
    (106, 3, 12, '2024-03-03', 2.68, 1, 'shipped', '2024-03-03 09:00:00+00', 1, null);
insert into silver.clickstream
select
    event_id, user_id, session_id, event_type, '/', null,
    event_date + interval 12 hour, event_date, 12, 1
from (
    values
        ('a', '1', 's1', 'product_view', date '2024-03-01'),
        ('b', '1', 's1', 'add_to_cart', date '2024-03-01'),
        ('c', '1', 's1', 'purchase', date '2024-03-01'),
        ('d', 'anon-1', 's2', 'product_view', date '2024-03-01'),
        ('e', 'anon-1', 's2', 'product_view', date '2024-03-01'),
        ('f', 'anon-2', null, 'page_view', date '2024-03-01'),
        ('g', '2', 's3', 'checkout', date '2024-03-02'),
        ('h', '2', 's3', 'product_view', date '2024-03-04')
) as t (event_id, user_id, session_id, event_type, event_date);
insert into silver.inventory values
    ('i1', 10, 'north', 5, 5, '2024-03-01 08:00', '2024-03-01', '2024-03-01 08:00', 'inventory', 0, 1, 1),
    ('i2', 10, 'south', 9, 9, '2024-03-01 09:00', '2024-03-01', '2024-03-01 09:00', 'inventory', 0, 2, 1),
    ('i3', 12, 'north', -1, 3, '2024-03-02 08:00', '2024-03-02', '2024-03-02 08:00', 'inventory', 0, 3, 1);
"""

CHANGES = """
insert into silver.inventory values
    -- A gap of one piece, and product 12 sells out; one event comes late.
    ('i4', 10, 'north', -1, 3, '2024-03-03 08:00', '2024-03-03', '2024-03-03 08:00', 'inventory', 0, 4, 2),
    ('i5', 12, 'north', -3, 0, '2024-03-03 09:00', '2024-03-03', '2024-03-03 09:00', 'inventory', 0, 5, 2),
    ('i6', 12, 'north', 0, 4, '2024-03-01 09:00', '2024-03-01', '2024-03-04 09:00', 'inventory', 0, 6, 2);
-- An old order changes its status and amount.
update silver.orders
set status = 'delivered', amount = 89.99, updated_at = '2024-03-04 08:00:00+00', load_id = 2
where order_id = 100;
-- A customer moves.
update silver.customers
set region = 'east', updated_at = '2024-03-04 08:00:00+00', load_id = 2
where customer_id = 2;
-- A late order with an old order_date, and one of today.
insert into silver.orders values
    (90, 4, 10, '2024-02-20', 50.00, 1, 'delivered', '2024-02-20 09:00:00+00', 2, null),
    (107, 1, 10, '2024-03-04', 60.00, 1, 'pending', '2024-03-04 09:00:00+00', 2, null);
-- The product of order 103 and the customer of order 104 arrive, both with an old updated_at.
insert into silver.products values
    (19, 'ball', 'toys', 5.00, '2024-01-05 00:00:00+00', 2);
insert into silver.customers values
    (9, 'Ivy', 'gold', 'north', '2024-01-05 00:00:00+00', 2);
-- A click comes late; another turns out to belong to the day before.
insert into silver.clickstream values
    ('i', '3', 's4', 'purchase', '/', null, '2024-03-01 12:00:00+00', '2024-03-01', 12, 2);
update silver.clickstream set event_date = '2024-03-03', load_id = 2 where event_id = 'h';
"""


class Node(NamedTuple):
    """What became of one node, and the SQL it ran."""

    status: str
    compiled_code: str | None


@dataclass(frozen=True)
class Shop:
    """A warehouse file with a small silver, and dbt pointed at it."""

    path: Path

    def sql(self, statement: str) -> list[tuple]:
        with duckdb.connect(self.path) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.execute(statement).fetchall()

    def dbt(self, *arguments: str) -> dict[str, Node]:
        """Run dbt; the answer is each node by its name, never empty."""
        outcome = dbtRunner().invoke(
            [*arguments, "--quiet", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        )
        assert outcome.exception is None, outcome.exception
        nodes = {
            result.node.name: Node(str(result.status), getattr(result.node, "compiled_code", ""))
            for result in outcome.result
        }
        assert nodes, f"dbt {arguments} selected nothing"
        return nodes

    def rows_of(self, tables: list[str]) -> dict[str, list[tuple]]:
        return {table: self.sql(f"select * from {table} order by all") for table in tables}
