"""The shop behind a real PgBouncer, in the modes that people run it in."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg2
import pyarrow as pa
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn
from pydantic import SecretStr

from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.shop.connection import shop_connection, shop_transaction
from blocks.shop_database import ShopDatabase
from blocks.shop_snapshot import snapshot_readers
from spark_jobs.engine.local_server import free_port
from tasks.shop.postgres_copy import copy_batches
from tests.support.poolers import open_pooler

Open = Callable[..., ShopDatabase]
ROWS = 200_000
NUMBERS = sql.SQL(f"copy (select i from generate_series(1, {ROWS}) i) to stdout (format csv, header)")


def shop(dsn: str) -> ShopDatabase:
    return ShopDatabase(shop_dsn=SecretStr(dsn))


@pytest.fixture
def pooled(database: str, tmp_path: Path) -> Iterator[Open]:
    """Opens a pooler before the shop, and gives the shop as it is reached through it."""
    with ExitStack() as opened:
        yield lambda **settings: shop(opened.enter_context(open_pooler(database, tmp_path, **settings)))


@pytest.fixture(params=["session", "transaction"])
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


def ask(connection: Connection, query: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def test_a_table_comes_through_with_one_session(pooled: Open, mode: str) -> None:
    with shop_transaction(pooled(pool_mode=mode, default_pool_size=1)) as connection:
        rows = pa.Table.from_batches(copy_batches(connection, NUMBERS, pa.schema([("i", pa.int64())])))
        assert rows.num_rows == ROWS
        shown = "select current_setting('TimeZone'), current_setting('transaction_read_only')"
        assert ask(connection, shown) == [("UTC", "on")]


def test_nothing_stays_in_the_session_for_others(pooled: Open, mode: str, database: str) -> None:
    """The next client of the session finds it as the server made it, and finds the very one."""
    reached = pooled(pool_mode=mode, default_pool_size=1)
    with shop_connection(reached) as connection:
        [(ours,)] = ask(connection, "select pg_backend_pid()")
    shown = (
        "select current_setting('statement_timeout'), current_setting('idle_in_transaction_session_timeout'), "
        "current_setting('extra_float_digits'), current_setting('default_transaction_read_only')"
    )
    other = psycopg2.connect(reached.shop_dsn.get_secret_value())
    assert ask(other, "select pg_backend_pid()") == [(ours,)]
    direct = psycopg2.connect(database)
    assert ask(other, shown) == ask(direct, shown)
    other.close()
    direct.close()


def test_each_transaction_has_the_settings(pooled: Open, mode: str) -> None:
    with shop_connection(pooled(pool_mode=mode)) as connection:
        for _ in range(2):
            assert ask(connection, "select current_setting('statement_timeout')") == [("1h",)]
            connection.rollback()


def test_readers_share_a_snapshot(pooled: Open, mode: str, database: str) -> None:
    reached = pooled(pool_mode=mode, default_pool_size=3)
    with shop_transaction(reached) as connection, snapshot_readers(reached, connection, 2) as readers:
        assert (len(readers.connections), readers.reason) == (2, "")
        insert(database)
        assert [ask(reader, "select count(*) from products") for reader in readers.connections] == [
            [(0,)]
        ] * 2


def insert(database: str) -> None:
    with psycopg2.connect(database) as connection, connection.cursor() as cursor:
        cursor.execute("insert into products (product_id) values (1)")
    connection.close()


def test_one_session_is_one_reader_at_once(pooled: Open, mode: str) -> None:
    """The second transaction would wait for the end of the first: nobody does."""
    reached = pooled(pool_mode=mode, default_pool_size=1)
    with shop_transaction(reached) as connection:
        with snapshot_readers(reached, connection, 2, seconds=0.3) as readers:
            assert readers.connections == ()
            assert "no session within 0.3 s" in readers.reason
        assert ask(connection, "select 1") == [(1,)]
    # Neither is anybody left in the queue who would take the session next.
    with shop_transaction(reached, begin_seconds=2) as connection:
        assert ask(connection, "select 1") == [(1,)]


def test_a_full_pool_is_transient_and_named(pooled: Open, mode: str) -> None:
    reached = pooled(pool_mode=mode, default_pool_size=1)
    with (
        shop_transaction(reached),
        pytest.raises(TransientFailure, match=r"no session within 0\.3 s: .* raise its pool_size"),
        shop_transaction(reached, begin_seconds=0.3),
    ):
        pass


def test_a_session_to_spare_is_taken_however_short_the_patience(pooled: Open, mode: str) -> None:
    reached = pooled(pool_mode=mode, default_pool_size=2)
    with shop_transaction(reached), shop_transaction(reached, begin_seconds=1) as connection:
        assert ask(connection, "select 1") == [(1,)]


def test_options_that_the_pooler_refuses_are_permanent(pooled: Open, mode: str) -> None:
    reached = pooled(pool_mode=mode).shop_dsn.get_secret_value()
    with pytest.raises(PermanentFailure, match=r"refuses the options in SHOP_DSN .*alter role"):
        shop(f"{reached}?options=-csearch_path%3Dlegacy").check()


def test_options_of_the_environment_too(pooled: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    reached = pooled()
    monkeypatch.setenv("PGOPTIONS", "-c search_path=legacy")
    with pytest.raises(PermanentFailure, match=r"refuses the options in SHOP_DSN or PGOPTIONS"):
        reached.check()


def test_a_mode_without_transactions_is_told_by_the_check(pooled: Open) -> None:
    with pytest.raises(TransientFailure, match="must be in session or transaction mode"):
        pooled(pool_mode="statement").check()


@pytest.mark.parametrize("limit", ["idle_transaction_timeout", "query_timeout"])
def test_a_time_limit_of_the_pooler_is_named_with_the_age(pooled: Open, limit: str) -> None:
    said = rf"broke off [1-3] s into a transaction: .*{limit}.*the server's own address"
    with (
        pytest.raises(TransientFailure, match=said),
        shop_transaction(pooled(pool_mode="transaction", **{limit: 1})) as connection,
    ):
        if limit == "query_timeout":
            ask(connection, "select pg_sleep(4)")
        time.sleep(2)
        ask(connection, "select 1")


def test_a_server_that_is_gone_behind_the_pooler_is_transient(tmp_path: Path, database: str) -> None:
    elsewhere = database.replace(f":{parse_dsn(database)['port']}/", f":{free_port()}/")
    with (
        open_pooler(elsewhere, tmp_path, query_wait_timeout=1) as dsn,
        pytest.raises(TransientFailure, match="cannot be reached"),
    ):
        shop(dsn).check()


def test_a_wrong_password_for_the_pooler_is_permanent(pooled: Open) -> None:
    dsn = pooled().shop_dsn.get_secret_value()
    with pytest.raises(PermanentFailure, match="authentication failed.*correct SHOP_DSN"):
        shop(dsn.replace("@", "x@")).check()
