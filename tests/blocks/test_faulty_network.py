"""A network that delays, cuts or swallows answers of the shop's database and of Kafka: an error in time, and no loss.

Half-open: the connection stands, and nothing comes. Blackholed: it is accepted, and nothing ever comes.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from blocks.kafka_client import kafka_errors, topic_identity
from blocks.settings.failures import TransientFailure
from blocks.shop import session
from blocks.shop.connection import shop_connection
from tasks.ingest.postgres import extract_table
from tests.support.platforms import Platform, here
from tests.support.proxy import Proxy, open_proxy
from tests.support.rows import DAY, customer, put

Opened = AbstractContextManager[Proxy]


def through(platform: Platform, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point SHOP_DSN at the proxy."""
    before, _, name = platform.dsn.rpartition("/")
    monkeypatch.setenv("SHOP_DSN", f"{before.rpartition('@')[0]}@127.0.0.1:{proxy.port}/{name}")


@pytest.fixture
def customers(platform: Platform) -> Platform:
    """Some 100 kB of rows."""
    put(platform, "customers", *(customer(number, customer_name="x" * 900) for number in range(100)))
    return platform


def extract() -> int:
    return extract_table.fn("customers", DAY, *here()).rows


def test_a_slow_connection_only_takes_longer(customers: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_proxy(customers.dsn, delay_seconds=0.05) as proxy:
        through(customers, proxy, monkeypatch)
        assert extract() == 100


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(lambda dsn: open_proxy(dsn, cut_after_bytes=1_200), id="cut"),
        pytest.param(lambda dsn: open_proxy(dsn, stall_after_bytes=60_000), id="half-open"),
    ],
)
def test_an_extract_that_breaks_off_is_transient_and_the_next_brings_every_row(
    customers: Platform, monkeypatch: pytest.MonkeyPatch, fault: Callable[[str], Opened]
) -> None:
    # The server's limit and ours, an hour and a minute.
    monkeypatch.setenv("PGOPTIONS", "-cstatement_timeout=1s")
    monkeypatch.setattr(session, "ANSWER_SECONDS", 1.0)
    begun = time.monotonic()
    with fault(customers.dsn) as proxy:
        through(customers, proxy, monkeypatch)
        with pytest.raises(TransientFailure):
            extract()
    assert proxy.cuts + proxy.stalls > 0
    assert time.monotonic() - begun < 30
    assert customers.lake.table("bronze.customers") is None
    monkeypatch.setenv("SHOP_DSN", customers.dsn)
    assert extract() == 100


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("0", 0.0), ("1500ms", 1.5), ("3s", 3.0), ("90min", 5400.0), ("", 3600.0), ("2d", 172_800.0)],
)
def test_the_limit_of_a_statement_is_the_servers(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, given: str, seconds: float
) -> None:
    if given:
        monkeypatch.setenv("PGOPTIONS", f"-cstatement_timeout={given}")
    connection = session.connect(platform.dsn)
    with connection.cursor() as cursor:
        cursor.execute("select 1")
    assert connection.statement_seconds == seconds
    connection.close()


def test_a_blackhole_is_given_up_after_the_connect_timeout(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(session.CONNECTION_DEFAULTS, "connect_timeout", 2)
    with open_proxy(platform.dsn, stall_after_bytes=0) as proxy:
        through(platform, proxy, monkeypatch)
        begun = time.monotonic()
        with pytest.raises(TransientFailure), shop_connection(here()[0]):
            pass
        assert time.monotonic() - begun < 20


def test_a_kafka_that_swallows_everything_is_given_up(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blocks.kafka_client.BOOTSTRAP_TIMEOUT_MS", 2_000)
    # Whatever listens will do: no answer of it ever comes.
    with open_proxy(platform.dsn, stall_after_bytes=0) as proxy:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{proxy.port}")
        begun = time.monotonic()
        with pytest.raises(TransientFailure, match="Kafka"), kafka_errors(f"127.0.0.1:{proxy.port}"):
            topic_identity(here()[0])
        assert time.monotonic() - begun < 60
