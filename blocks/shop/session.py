"""A connection to the shop's PostgreSQL whose settings last as long as a transaction, and no longer.

A pooler refuses start-up options and lends one session to many clients. So what reading needs is set in each
transaction, by `set local`: it replaces neither the options of the DSN or of PGOPTIONS, nor what others
have set.
"""

import contextlib
import os
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE, parse_dsn
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from blocks.shop.refusals import NoSession

# Only where the DSN says nothing else.
CONNECTION_DEFAULTS = {
    "connect_timeout": 10,
    # A network that swallows everything is noticed within two minutes, whichever side spoke last.
    "keepalives_idle": 30,
    "keepalives_interval": 15,
    "keepalives_count": 6,
    "tcp_user_timeout": 120_000,
    "fallback_application_name": "ecommerce-pipeline",
}
# A statement that runs longer than the whole nightly window is stuck, not slow.
STATEMENT_TIMEOUT_SECONDS = 3600
# A pooler whose sessions are all in use lets one wait, for ever if it is told so.
BEGIN_SECONDS = 300.0
# The server ends a statement at its time limit: so long after it, the answer is not coming any more.
ANSWER_SECONDS = 60.0
UNITS = {"": 0.001, "ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400}
SETTINGS = {
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


class ShopCursor(Cursor):
    """A cursor whose statements end, though the server's answer may never come: a proxy can hold it back."""

    connection: "ShopConnection"

    def execute(self, *args: Any, **kwargs: Any) -> None:
        """As psycopg2's."""
        with self.connection.answered():
            super().execute(*args, **kwargs)

    def copy_expert(self, *args: Any, **kwargs: Any) -> None:
        """As psycopg2's."""
        with self.connection.answered():
            super().copy_expert(*args, **kwargs)


class ShopConnection(Connection):
    """A connection whose every transaction begins with our settings, when its first cursor is made."""

    opening = ""
    begin_seconds = BEGIN_SECONDS
    statement_seconds = 0.0
    began_at = 0.0
    is_cut = False

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        """As psycopg2's; begins the transaction if there is none. Raises NoSession."""
        if self.opening and self.info.transaction_status == TRANSACTION_STATUS_IDLE:
            self._begin()
        return super().cursor(*args, **kwargs)

    def _begin(self) -> None:
        self.began_at = time.monotonic()
        try:
            with self._cut_after(self.begin_seconds), super().cursor(cursor_factory=Cursor) as first:
                first.execute(self.opening)
                [(limit,)] = first.fetchall()
                self.statement_seconds = _seconds(limit)
        except psycopg2.OperationalError as error:
            if self.is_cut:
                raise NoSession(f"no session within {self.begin_seconds:g} s") from error
            raise

    def answered(self) -> AbstractContextManager[None]:
        """A context that is cut if an answer does not come; none where a statement may take for ever."""
        if not self.statement_seconds:
            return contextlib.nullcontext()
        return self._cut_after(self.statement_seconds + ANSWER_SECONDS)

    @contextlib.contextmanager
    def _cut_after(self, seconds: float) -> Iterator[None]:
        alarm = threading.Timer(seconds, self._cut)
        # A program that ends does not wait for it.
        alarm.daemon = True
        alarm.start()
        try:
            yield
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


def connect(dsn: str, begin_seconds: float = BEGIN_SECONDS) -> ShopConnection:
    """A read-only connection; a transaction waits at most `begin_seconds` for a session of a pooler.

    Raises psycopg2's ProgrammingError for what is no DSN, its OperationalError for one that does not lead in.
    """
    given = parse_dsn(dsn)
    defaults: dict[str, Any] = {
        name: value for name, value in CONNECTION_DEFAULTS.items() if name not in given
    }
    if "PGCONNECT_TIMEOUT" in os.environ:
        defaults.pop("connect_timeout", None)
    connection = psycopg2.connect(dsn, connection_factory=ShopConnection, client_encoding="UTF8", **defaults)
    connection.cursor_factory = ShopCursor
    # Named, lest a role's default be SERIALIZABLE, which a read replica refuses.
    connection.set_session(isolation_level="READ COMMITTED", readonly=True)
    connection.opening = _opening(connection.server_version, given.get("options", ""))
    connection.begin_seconds, connection.began_at = begin_seconds, time.monotonic()
    return connection


def _opening(server_version: int, options: str) -> str:
    """The statements that every transaction begins with, in one round trip."""
    settings = SETTINGS.copy()
    if server_version >= 170_000:
        settings["transaction_timeout"] = "0"
    asked = f"{options} {os.environ.get('PGOPTIONS', '')}".replace("-", "_")
    if "statement_timeout" not in asked:
        settings["statement_timeout"] = f"{STATEMENT_TIMEOUT_SECONDS}s"
    # No query: after one, the transaction could not share another's snapshot.
    limit = "show statement_timeout"
    return "; ".join([*(f"set local {name} = '{value}'" for name, value in settings.items()), limit])


def _seconds(shown: str) -> float:
    """A time as PostgreSQL shows it: `0`, `500ms`, `1h`."""
    number, unit = re.fullmatch(r"(\d+)([a-z]*)", shown).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]
