"""Connections to the shop's PostgreSQL, as the settings name it. Nothing here imports Prefect."""

import contextlib
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_ACTIVE, parse_dsn
from psycopg2.extensions import connection as Connection

from blocks.settings.failures import PermanentFailure
from blocks.settings.fields import ShopFields
from blocks.shop.refusals import connection_refusal, statement_refusal
from blocks.shop.session import BEGIN_SECONDS, connect


@contextmanager
def shop_connection(settings: ShopFields, begin_seconds: float = BEGIN_SECONDS) -> Iterator[Connection]:
    """A connection to `SHOP_DSN`, read-only and in UTC, closed at the end.

    `set_session` may change its isolation before the first cursor. Raises PermanentFailure if the DSN is
    missing or refused, TransientFailure if nobody answers, the connection is lost, or a pooler has no session
    for a transaction; no message holds the password.
    """
    dsn = settings.shop_dsn.get_secret_value()
    if not dsn:
        raise PermanentFailure("SHOP_DSN is not set: point it at the shop's PostgreSQL, or run `make demo`")
    try:
        where = _describe(dsn)
        connection = connect(dsn, begin_seconds)
    except psycopg2.ProgrammingError as error:
        raise PermanentFailure(
            f"SHOP_DSN is not a PostgreSQL connection string: {type(error).__name__}"
        ) from None
    except psycopg2.OperationalError as error:
        raise connection_refusal(where, str(error)) from None
    try:
        yield connection
        # Closed within a transaction, a pooler would throw its session away; but a COPY that was left in the
        # middle would be read to its end.
        if connection.info.transaction_status != TRANSACTION_STATUS_ACTIVE:
            with contextlib.suppress(psycopg2.Error):
                connection.rollback()
    except psycopg2.Error as error:
        failure = statement_refusal(where, error, time.monotonic() - connection.began_at)
        if failure is None:
            raise
        raise failure from error
    finally:
        connection.close()


@contextmanager
def shop_transaction(settings: ShopFields, begin_seconds: float = BEGIN_SECONDS) -> Iterator[Connection]:
    """One read-only REPEATABLE READ transaction in the shop's database; its first query takes the snapshot.

    Fails as `shop_connection` does.
    """
    with shop_connection(settings, begin_seconds) as connection:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        connection.cursor().close()
        yield connection


def _describe(dsn: str) -> str:
    """The address in a DSN, to name it in messages.

    Raises PermanentFailure if it may hold a piece of the password: a `/` or `@` in a password that is not
    percent-encoded moves the rest of it into host, port or dbname.
    """
    parts = parse_dsn(dsn)
    host, port, name = parts.get("host", "localhost"), parts.get("port", "5432"), parts.get("dbname", "")
    if "@" in host + name or not port.replace(",", "").isdigit():
        raise PermanentFailure(
            "SHOP_DSN cannot be read: its port is no number, or its password has a / or @ that must be "
            "written as %2F or %40"
        )
    return f"{host}:{port}/{name}"
