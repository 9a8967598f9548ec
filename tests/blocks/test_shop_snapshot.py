"""Readers of one snapshot on a server of its own, and why there may be fewer."""

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn
from pydantic import SecretStr

from blocks.settings.settings import Settings
from blocks.shop.connection import shop_transaction
from blocks.shop_database import ShopDatabase
from blocks.shop_snapshot import _reader, snapshot_readers
from tests.support.platforms import Platform
from tests.support.rows import order, put

PASSWORD = "reader"


def ask(connection: Connection, query: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def reader(platform: Platform, options: str = "") -> ShopDatabase:
    """The shop as a role of its own sees it, which may read orders and is no superuser."""
    parts = parse_dsn(platform.dsn)
    name = f"reader_{parts['dbname'][-12:]}"
    platform.execute(f"create role {name} login password '{PASSWORD}' {options}")
    platform.execute(f"grant select on orders to {name}")
    where = f"127.0.0.1:{parts['port']}/{parts['dbname']}"
    return ShopDatabase(shop_dsn=SecretStr(f"postgresql://{name}:{PASSWORD}@{where}"))


def test_all_see_what_the_first_sees(platform: Platform) -> None:
    put(platform, "orders", order(1))
    with shop_transaction(Settings()) as connection:
        # What was asked before belongs to the same snapshot.
        assert ask(connection, "select count(*) from orders") == [(1,)]
        put(platform, "orders", order(2))
        with snapshot_readers(Settings(), connection, 3) as readers:
            put(platform, "orders", order(3))
            counted = [ask(each, "select count(*) from orders") for each in readers.connections]
            assert (counted, readers.reason) == ([[(1,)]] * 3, "")
            settings = [ask(each, "show timezone") for each in readers.connections]
            assert settings == [[("UTC",)]] * 3
    assert all(each.closed for each in readers.connections)


def test_none_may_be_asked_for(platform: Platform) -> None:
    with shop_transaction(Settings()) as connection, snapshot_readers(Settings(), connection, 0) as readers:
        assert (readers.connections, readers.reason) == ((), "")


@pytest.mark.parametrize(("limit", "had"), [(1, 0), (2, 1)])
def test_a_role_with_few_connections_has_those(platform: Platform, limit: int, had: int) -> None:
    shop = reader(platform, f"connection limit {limit}")
    with shop_transaction(shop) as connection, snapshot_readers(shop, connection, 2) as readers:
        assert len(readers.connections) == had
        assert "too many connections for role" in readers.reason
        for each in (connection, *readers.connections):
            assert ask(each, "select count(*) from orders") == [(0,)]


def test_a_role_that_may_not_export_reads_alone(platform: Platform) -> None:
    platform.execute("revoke execute on function pg_export_snapshot() from public")
    shop = reader(platform)
    with shop_transaction(shop) as connection:
        with snapshot_readers(shop, connection, 2) as readers:
            assert readers.connections == ()
            assert "grant EXECUTE" in readers.reason
        assert ask(connection, "select count(*) from orders") == [(0,)]


def test_a_snapshot_of_the_same_name_that_shows_something_else_is_refused(platform: Platform) -> None:
    with shop_transaction(Settings()) as connection:
        [(name, content)] = ask(connection, "select pg_export_snapshot(), pg_current_snapshot()::text")
        with _reader(Settings(), name, content, 5) as same:
            assert ask(same, "select 1") == [(1,)]
        with (
            pytest.raises(Exception, match="another than the one exported"),
            _reader(Settings(), name, f"1{content}", 5),
        ):
            pass


def test_an_error_of_a_reader_is_told_as_any_other(platform: Platform) -> None:
    with (
        pytest.raises(psycopg2.errors.DivisionByZero),
        shop_transaction(Settings()) as connection,
        snapshot_readers(Settings(), connection, 1) as readers,
    ):
        ask(readers.connections[0], "select 1 / 0")
