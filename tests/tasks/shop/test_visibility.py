"""What a role does not see, on a real server."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn
from pydantic import SecretStr

from blocks.settings.failures import PermanentFailure
from blocks.shop.connection import shop_transaction
from blocks.shop_database import ShopDatabase
from tasks.shop.visibility import hidden_by_row_security, missing_table, row_security_applies
from tests.support.platforms import Platform

PASSWORD = "reader"


@pytest.fixture
def role(platform: Platform) -> Iterator[str]:
    """A role that may read the shop's tables, and is neither their owner nor a superuser."""
    name = f"reader_{uuid4().hex[:12]}"
    platform.execute(f"create role {name} login password '{PASSWORD}'")
    platform.execute(f"grant select on all tables in schema public to {name}")
    yield name
    platform.execute(f"drop owned by {name}; drop role {name}")


@contextmanager
def reading(platform: Platform, role: str) -> Iterator[Connection]:
    parts = parse_dsn(platform.dsn)
    dsn = f"postgresql://{role}:{PASSWORD}@127.0.0.1:{parts['port']}/{parts['dbname']}"
    with shop_transaction(ShopDatabase(shop_dsn=SecretStr(dsn))) as connection:
        yield connection


@pytest.mark.parametrize(
    ("policies", "hides"),
    [
        pytest.param([], True, id="no policy shows nothing"),
        pytest.param(["for select using (order_id < 10)"], True, id="some rows"),
        pytest.param(["for select using (true)"], False, id="all rows"),
        pytest.param(["for all using (true)"], False, id="all rows, for all that one does"),
        pytest.param(["for update using (true)"], True, id="all rows, to change them"),
        pytest.param(["for select to postgres_other using (true)"], True, id="all rows, to somebody else"),
        pytest.param(
            ["using (true)", "as restrictive using (order_id < 10)"],
            True,
            id="all rows, restricted beside it",
        ),
        pytest.param(["using (order_id < 10)", "using (true)"], False, id="some rows, and all"),
    ],
)
def test_a_policy_that_may_hide_rows(platform: Platform, role: str, policies: list[str], hides: bool) -> None:
    other = f"other_{uuid4().hex[:12]}"
    platform.execute(f"create role {other}")
    platform.execute("alter table orders enable row level security")
    for number, policy in enumerate(policies):
        platform.execute(f"create policy p{number} on orders {policy.replace('postgres_other', other)}")
    with reading(platform, role) as connection:
        hidden = hidden_by_row_security(connection, ["products", "orders", "customers"])
        assert hidden == (["orders"] if hides else [])
        # The transaction is as it was, and reads what the policies show.
        with connection.cursor() as cursor:
            cursor.execute("select count(*), current_setting('row_security') from orders")
            assert cursor.fetchall() == [(0, "on")]
    platform.execute("drop table orders")
    platform.execute(f"drop role {other}")


def test_who_bypasses_it_sees_all(platform: Platform, role: str) -> None:
    platform.execute("alter table orders enable row level security")
    platform.execute(f"alter role {role} bypassrls")
    with reading(platform, role) as connection:
        assert hidden_by_row_security(connection, ["orders"]) == []


def test_a_policy_behind_a_view_counts(platform: Platform, role: str) -> None:
    """Of a view that asks with the rights of its reader; one that asks with its owner's shows the owner's rows."""
    platform.execute("alter table orders enable row level security")
    platform.execute("create view owners as select * from orders")
    platform.execute("create view readers with (security_invoker) as select * from orders")
    platform.execute(f"grant select on owners, readers to {role}")
    with reading(platform, role) as connection:
        assert hidden_by_row_security(connection, ["owners", "readers"]) == ["readers"]
        query = sql.SQL("select 1 from products where exists (select from orders)")
        assert row_security_applies(connection, query)
        assert not row_security_applies(connection, sql.SQL("select 1 from products"))


def test_a_missing_grant_is_no_policy(platform: Platform, role: str) -> None:
    platform.execute(f"revoke select on orders from {role}")
    with (
        pytest.raises(PermanentFailure, match="permission denied for table orders; grant SELECT"),
        reading(platform, role) as connection,
    ):
        hidden_by_row_security(connection, ["orders"])


def test_a_table_that_is_missing_everywhere(platform: Platform, role: str) -> None:
    with reading(platform, role) as connection:
        assert "table refunds is missing" in missing_table(connection, "refunds")
        assert "SHOP_QUERIES/refunds.sql" in missing_table(connection, "refunds")


def test_a_table_outside_the_search_path(platform: Platform, role: str) -> None:
    platform.execute("create schema legacy; create table legacy.refunds (i int)")
    platform.execute(f"grant usage on schema legacy to {role}")
    with reading(platform, role) as connection:
        told = missing_table(connection, "refunds")
    assert told.startswith('table refunds is in schema legacy, and not in the search_path ("$user", public)')
    assert "options=-csearch_path%3Dlegacy" in told
    assert f"alter role {role} set search_path = legacy" in told


def test_a_table_in_a_schema_that_the_role_may_not_use(platform: Platform, role: str) -> None:
    platform.execute("create schema legacy; create table legacy.refunds (i int)")
    platform.execute(f"alter role {role} set search_path = legacy")
    with reading(platform, role) as connection:
        assert f"grant usage on schema legacy to {role}" in missing_table(connection, "refunds")


def test_a_table_with_capitals(platform: Platform, role: str) -> None:
    platform.execute('create table "Refunds" (i int)')
    with reading(platform, role) as connection:
        assert 'is spelt "Refunds" in schema public' in missing_table(connection, "refunds")


def test_the_same_name_twice_names_the_exact_one(platform: Platform, role: str) -> None:
    platform.execute(
        'create schema legacy; create table legacy.refunds (i int); create table "REFUNDS" (i int)'
    )
    platform.execute(f"grant usage on schema legacy to {role}")
    with reading(platform, role) as connection:
        assert "is in schema legacy" in missing_table(connection, "refunds")


def test_a_table_that_there_is_not_is_permanent(platform: Platform, role: str) -> None:
    with pytest.raises(PermanentFailure, match="does not exist"), reading(platform, role) as connection:
        hidden_by_row_security(connection, ["nowhere"])


def test_a_name_that_needs_quotes(platform: Platform, role: str) -> None:
    platform.execute('create table "Odd ""name" (i int); alter table "Odd ""name" enable row level security')
    platform.execute(f'grant select on "Odd ""name" to {role}')
    with reading(platform, role) as connection:
        assert hidden_by_row_security(connection, ['Odd "name']) == ['Odd "name']
