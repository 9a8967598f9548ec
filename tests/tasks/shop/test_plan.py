"""What a window would read, by the planner of a real server."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from pydantic import SecretStr

from blocks.shop.connection import shop_transaction
from blocks.shop_database import ShopDatabase
from lake.catalog import shop_tables
from tasks.ingest.extract_window import narrow_window, window_condition
from tasks.shop.plan import LARGE, computed_cursor_warning, estimated_rows, index_warnings
from tasks.shop.relation import SQL, find_relation
from tests.support.platforms import empty_database

MANY = LARGE + 20_000
COLUMNS = "n as order_id, 1 as product_id, 'shipped' as status, now() - n * interval '1 second' as changed"


@pytest.fixture(scope="module")
def many(postgres: str) -> Iterator[str]:
    """The DSN of a database with a large table `many`, and one that has an index on each column."""
    with empty_database(postgres) as dsn:
        with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(f"create table many as select {COLUMNS} from generate_series(1, {MANY}) as n")
            cursor.execute("create table indexed as table many")
            cursor.execute('create table "Odd one" as select order_id, changed as "Changed at" from many')
            cursor.execute("create index on indexed (changed)")
            cursor.execute("create index on indexed (order_id)")
            cursor.execute(
                "create table zoneless as select order_id, changed::timestamp as changed from many"
            )
            cursor.execute(
                "create table parts (order_id bigint, changed timestamptz) partition by hash (order_id)"
            )
            for part in (0, 1):
                cursor.execute(
                    f"create table part_{part} partition of parts for values with (modulus 2, remainder {part})"
                )
            cursor.execute("insert into parts select order_id, changed from many")
            cursor.execute("create table zoneless_indexed as table zoneless")
            cursor.execute("create index on zoneless_indexed (changed)")
            cursor.execute("create table few as select * from many limit 1000")
            cursor.execute("analyze")
        connection.close()
        yield dsn


@pytest.fixture
def reading(many: str) -> Iterator[Connection]:
    with shop_transaction(ShopDatabase(shop_dsn=SecretStr(many))) as connection:
        yield connection


@pytest.mark.parametrize(
    ("query", "warned"),
    [
        pytest.param("select changed as updated_at from few", None, id="a small table"),
        pytest.param("select changed as updated_at from indexed", None, id="an index"),
        pytest.param(
            "select changed as updated_at from many",
            "all of public.many, about 120,000 rows; create an index: "
            "create index concurrently on public.many (changed)",
            id="no index",
        ),
        pytest.param(
            'select "Changed at" as updated_at from "Odd one"',
            'create index concurrently on public."Odd one" ("Changed at")',
            id="names that must be quoted",
        ),
        pytest.param(
            "select changed as updated_at from parts",
            "about 120,000 rows; create an index: create index concurrently on public.parts (changed)",
            id="the table, not its partitions",
        ),
        pytest.param(
            "select a.changed as updated_at from indexed as a join indexed as b using (order_id)",
            None,
            id="a join by indexed columns",
        ),
        pytest.param(
            "select a.changed as updated_at from indexed as a join many as b using (order_id)",
            "reads all of public.many",
            id="a join by a column without an index",
        ),
        pytest.param(
            "select greatest(changed, '2000-01-01') as updated_at from indexed",
            "all of public.indexed (about 120,000 rows), since updated_at is computed",
            id="a cursor that is computed",
        ),
        pytest.param(
            "select greatest(a.changed, b.changed) as updated_at from indexed as a, many as b where a.order_id = b.order_id",
            "each run's window reads all of public.",
            id="the later of two times: one sentence",
        ),
        pytest.param(
            "select max(changed) as updated_at from indexed group by status",
            "all of public.indexed (about 120,000 rows), since updated_at is computed",
            id="a cursor that is an aggregate",
        ),
        pytest.param(
            "select changed as updated_at from zoneless",
            "create index concurrently on public.zoneless (changed)",
            id="times without a zone",
        ),
        pytest.param(
            "select changed as updated_at from zoneless_indexed",
            None,
            id="times without a zone, and an index",
        ),
    ],
)
def test_a_window_that_reads_a_large_table_as_a_whole(
    reading: Connection, tmp_path: Path, query: str, warned: str | None
) -> None:
    (tmp_path / "orders.sql").write_text(query)
    orders = shop_tables()["orders"]
    # Times without a zone are refused unless the contract names one.
    columns = tuple(replace(each, timezone="UTC") for each in orders.columns)
    relation = find_relation(reading, replace(orders, columns=columns), str(tmp_path))
    window = window_condition(relation, narrow_window(dt.datetime.now(dt.UTC)))
    warnings = index_warnings(reading, relation, window) + computed_cursor_warning(reading, relation, window)
    assert len(warnings) == (warned is not None), warnings
    assert all(warned in warning for warning in warnings)


def test_rows_are_estimated(reading: Connection) -> None:
    assert estimated_rows(reading, SQL("few")) == 1000
    assert estimated_rows(reading, SQL("many")) == pytest.approx(MANY, rel=0.05)
