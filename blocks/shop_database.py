"""The shop's PostgreSQL: how to reach it, and what its refusals mean."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import parse_dsn

from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import ShopFields
from blocks.system_block import SystemBlock

CONNECT_TIMEOUT_SECONDS = 10
# A statement that runs longer than the whole nightly window is stuck, not slow.
STATEMENT_TIMEOUT_SECONDS = 3600
# What libpq says when trying again cannot help.
FINAL_REFUSALS = ("authentication failed", "no password supplied", "does not exist", "no pg_hba.conf entry")


class ShopDatabase(ShopFields, SystemBlock):
    """The shop's PostgreSQL and the time zone its business days are counted in."""

    _block_type_name = "Shop Database"

    def check(self) -> None:
        """Connect once. Raises PipelineFailure that says what is wrong."""
        with _connection(self.shop_dsn.get_secret_value()):
            pass


def shop_connection(settings: ShopFields) -> AbstractContextManager[Connection]:
    """A connection to `SHOP_DSN`, read-only and in UTC, closed at the end.

    Raises PermanentFailure if the DSN is missing or refused, TransientFailure if nobody answers or the
    connection is lost; neither message holds the password.
    """
    return _connection(settings.shop_dsn.get_secret_value())


@contextmanager
def _connection(dsn: str) -> Iterator[Connection]:
    if not dsn:
        raise PermanentFailure("SHOP_DSN is not set: point it at the shop's PostgreSQL, or run `make demo`")
    try:
        where = _describe(dsn)
        connection = psycopg2.connect(
            dsn,
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            options=f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s "
            "-c default_transaction_read_only=on",
            keepalives_idle=30,
            client_encoding="UTF8",
        )
    except psycopg2.ProgrammingError as error:
        raise PermanentFailure(
            f"SHOP_DSN is not a PostgreSQL connection string: {type(error).__name__}"
        ) from None
    except psycopg2.OperationalError as error:
        raise _refusal(where, str(error)) from None
    try:
        yield connection
    except psycopg2.errors.InsufficientPrivilege as error:
        raise PermanentFailure(
            f"the shop's database at {where} refuses: {error.diag.message_primary}; grant SELECT to its user"
        ) from None
    except psycopg2.Error as error:
        if not _is_break(error):
            raise
        raise TransientFailure(f"the shop's database at {where} broke off: {str(error).strip()}") from error
    finally:
        connection.close()


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


def _is_break(error: psycopg2.Error) -> bool:
    """Whether the connection was lost, rather than a statement refused."""
    # A COPY that is cut off may come as a bare DatabaseError, without a word from the server.
    lost_without_a_word = type(error) is psycopg2.DatabaseError and error.pgcode is None
    return lost_without_a_word or isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))


def _refusal(where: str, message: str) -> PermanentFailure | TransientFailure:
    reason = message.strip().splitlines()[-1]
    if any(refusal in message for refusal in FINAL_REFUSALS):
        return PermanentFailure(
            f"the shop's database at {where} refuses the connection ({reason}); correct SHOP_DSN"
        )
    return TransientFailure(
        f"the shop's database at {where} cannot be reached ({reason}); start it, or correct SHOP_DSN"
    )
