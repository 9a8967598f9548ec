"""The shop's PostgreSQL: how to reach it, directly, on a read replica or through a pooler.

A pooler refuses start-up options and lends one session to many clients. So what reading needs is set in each
transaction, by `set local`: it ends with the transaction, and replaces neither the options of the DSN or of
PGOPTIONS, nor anything of another client's.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, parse_dsn
from psycopg2.extensions import connection as Connection

from blocks.settings.failures import PermanentFailure
from blocks.settings.fields import ShopFields
from blocks.shop_refusals import NoSession, connection_refusal, statement_refusal
from blocks.system_block import SystemBlock

# Only where the DSN says nothing else.
CONNECTION_DEFAULTS = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "fallback_application_name": "ecommerce-pipeline",
}
# A statement that runs longer than the whole nightly window is stuck, not slow.
STATEMENT_TIMEOUT_SECONDS = 3600
# A pooler whose sessions are all in use lets one wait, for ever if it is told so.
BEGIN_SECONDS = 300.0
SESSION = {
    "client_encoding": "UTF8",
    "timezone": "UTC",
    # The order of day and month stays the server's own: its queries may be written for it.
    "datestyle": "ISO",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    # The transaction that holds a snapshot is idle while others read in it.
    "idle_in_transaction_session_timeout": "0",
    # Not standard_conforming_strings: psycopg2 quotes by what it was when the connection began, and a text
    # with a backslash would end its literal early.
}


class ShopDatabase(ShopFields, SystemBlock):
    """The shop's PostgreSQL and the time zone its business days are counted in."""

    _block_type_name = "Shop Database"

    def check(self) -> None:
        """Begin one transaction. Raises PipelineFailure that says what is wrong."""
        with shop_transaction(self):
            pass


class ShopConnection(Connection):
    """A connection whose every transaction begins with our settings, when its first cursor is made."""

    opening = ""
    begin_seconds = BEGIN_SECONDS
    began_at = 0.0
    is_cut = False

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """As psycopg2's; begins the transaction if there is none. Raises NoSession."""
        if self.opening and self.info.transaction_status == TRANSACTION_STATUS_IDLE:
            self._begin()
        return super().cursor(*args, **kwargs)

    def _begin(self) -> None:
        self.began_at = time.monotonic()
        alarm = threading.Timer(self.begin_seconds, self._cut)
        alarm.start()
        try:
            with super().cursor() as first:
                first.execute(self.opening)
        except psycopg2.OperationalError as error:
            if self.is_cut:
                raise NoSession(f"no session within {self.begin_seconds:g} s") from error
            raise
        finally:
            alarm.cancel()

    def _cut(self) -> None:
        """Wake the thread that waits in libpq, which knows no time limit, as if the server had gone."""
        self.is_cut = True
        with (
            contextlib.suppress(OSError, psycopg2.Error),
            socket.socket(fileno=os.dup(self.fileno())) as held,
        ):
            held.shutdown(socket.SHUT_RDWR)


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
        connection = _connect(dsn)
        connection.begin_seconds = begin_seconds
    except psycopg2.ProgrammingError as error:
        raise PermanentFailure(
            f"SHOP_DSN is not a PostgreSQL connection string: {type(error).__name__}"
        ) from None
    except psycopg2.OperationalError as error:
        raise connection_refusal(where, str(error)) from None
    try:
        yield connection
        # Closed within a transaction, a pooler would throw its session away.
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


def _connect(dsn: str) -> ShopConnection:
    given = parse_dsn(dsn)
    defaults: dict[str, Any] = {
        name: value for name, value in CONNECTION_DEFAULTS.items() if name not in given
    }
    if "PGCONNECT_TIMEOUT" in os.environ:
        defaults.pop("connect_timeout", None)
    connection = psycopg2.connect(dsn, connection_factory=ShopConnection, client_encoding="UTF8", **defaults)
    connection.began_at = time.monotonic()
    # Named, lest a role's default be SERIALIZABLE, which a read replica refuses.
    connection.set_session(isolation_level="READ COMMITTED", readonly=True)
    connection.opening = _opening(connection.server_version, given.get("options", ""))
    return connection


def _opening(server_version: int, options: str) -> str:
    """The statements that every transaction begins with, in one round trip."""
    session = SESSION.copy()
    if server_version >= 170_000:
        session["transaction_timeout"] = "0"
    asked = f"{options} {os.environ.get('PGOPTIONS', '')}".replace("-", "_")
    if "statement_timeout" not in asked:
        session["statement_timeout"] = f"{STATEMENT_TIMEOUT_SECONDS}s"
    return "; ".join(f"set local {name} = '{value}'" for name, value in session.items())


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
