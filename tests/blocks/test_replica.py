"""The shop read on a real streaming replica: what it allows, and what it ends."""

import threading
from collections.abc import Iterator

import pytest
from psycopg2.extensions import connection as Connection
from pydantic import SecretStr

from blocks.settings.failures import TransientFailure
from blocks.shop.connection import shop_connection, shop_transaction
from blocks.shop_database import ShopDatabase
from blocks.shop_snapshot import snapshot_readers
from tests.support.postgres_servers import Server, open_replica, open_server
from tests.support.prometheus_servers import wait_until

QUICK = "100ms"


def shop(server: Server) -> ShopDatabase:
    return ShopDatabase(shop_dsn=SecretStr(server.dsn))


@pytest.fixture(scope="module")
def primary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with open_server(tmp_path_factory.mktemp("primary"), autovacuum="off") as server:
        server.execute("create table orders as select i as order_id from generate_series(1, 1000) i")
        yield server


@pytest.fixture(scope="module")
def replica(primary: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    delays = {"max_standby_streaming_delay": QUICK, "wal_receiver_status_interval": "1s"}
    with open_replica(primary, tmp_path_factory.mktemp("replica"), **delays) as server:
        yield server


def ask(connection: Connection, query: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def clear_away(primary: Server, rows: int) -> None:
    """Remove rows that a snapshot on the replica still sees, from the files as well."""
    primary.execute(f"delete from orders where order_id in (select order_id from orders limit {rows})")
    primary.execute("vacuum orders")


def test_it_is_read_in_one_snapshot_by_several(replica: Server) -> None:
    with shop_transaction(shop(replica)) as connection:
        assert ask(connection, "select pg_is_in_recovery()") == [(True,)]
        [(rows,)] = ask(connection, "select count(*) from orders")
        with snapshot_readers(shop(replica), connection, 2) as readers:
            assert readers.reason == ""
            counted = [ask(reader, "select count(*) from orders") for reader in readers.connections]
            assert counted == [[(rows,)]] * 2


def test_a_default_that_a_replica_refuses_is_not_asked_for(replica: Server) -> None:
    default = "?options=-cdefault_transaction_isolation%3Dserializable"
    with shop_connection(ShopDatabase(shop_dsn=SecretStr(replica.dsn + default))) as connection:
        assert ask(connection, "show default_transaction_isolation") == [("serializable",)]
        assert ask(connection, "select current_setting('transaction_isolation')") == [("read committed",)]


def test_connections_that_lead_to_different_servers_share_nothing(primary: Server, replica: Server) -> None:
    """As behind an address that spreads connections over replicas."""
    with (
        shop_transaction(shop(replica)) as connection,
        snapshot_readers(shop(primary), connection, 2) as readers,
    ):
        assert readers.connections == ()
        assert "snapshot" in readers.reason
        assert ask(connection, "select 1") == [(1,)]


def test_a_query_that_replay_cancels_is_transient(primary: Server, replica: Server) -> None:
    said = "gave up a statement: .*conflict with recovery.*hot_standby_feedback"
    with pytest.raises(TransientFailure, match=said), shop_transaction(shop(replica)) as connection:
        ask(connection, "select count(*) from orders")
        cleared = threading.Timer(0.3, clear_away, [primary, 10])
        cleared.start()
        try:
            ask(connection, "select count(*), pg_sleep(20) from orders")
        finally:
            cleared.join()


def test_a_snapshot_that_replay_ends_while_it_waits_is_transient(primary: Server, replica: Server) -> None:
    said = "broke off .* max_standby_streaming_delay"
    with pytest.raises(TransientFailure, match=said), shop_transaction(shop(replica)) as connection:
        [(backend, _rows)] = ask(connection, "select pg_backend_pid(), count(*) from orders")

        def is_ended() -> bool:
            clear_away(primary, 1)
            return replica.execute(f"select 1 from pg_stat_activity where pid = {backend}") == []

        wait_until(is_ended, 30)
        ask(connection, "select count(*) from orders")
