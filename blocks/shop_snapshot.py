"""Several connections that read the shop in one snapshot, where server and pooler allow it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection

from blocks.settings.failures import PipelineFailure
from blocks.settings.fields import ShopFields
from blocks.shop.connection import shop_transaction

# A pooler with a session to spare gives it at once.
READER_SECONDS = 5.0


@dataclass(frozen=True)
class SnapshotReaders:
    """Connections with a transaction each, all in one snapshot, besides the one that exported it."""

    connections: tuple[Connection, ...]
    reason: str
    """Why there are fewer than were asked for; empty if there are not."""


@contextmanager
def snapshot_readers(
    settings: ShopFields, connection: Connection, count: int, seconds: float = READER_SECONDS
) -> Iterator[SnapshotReaders]:
    """Up to `count` more transactions in the snapshot of `connection`, which must stay open, for its length.

    There are fewer, or none, where a pooler has no session within `seconds`, connections are limited, or lead
    to another server. Whoever asked then reads by `connection` as well: slower, and as right.
    """
    with ExitStack() as opened:
        readers: list[Connection] = []
        reason = ""
        with connection.cursor() as cursor:
            # Asked first: a statement that fails would end the transaction that others need.
            cursor.execute(
                "select coalesce("
                "has_function_privilege(to_regprocedure('pg_export_snapshot()'), 'execute'), false)"
            )
            [(may_export,)] = cursor.fetchall()
            if not may_export:
                reason = "pg_export_snapshot() is not to be had: grant EXECUTE on it to SHOP_DSN's user"
                count = 0
            elif count:
                cursor.execute("select pg_export_snapshot(), pg_current_snapshot()::text")
                [(name, content)] = cursor.fetchall()
        for _ in range(count):
            try:
                readers.append(opened.enter_context(_reader(settings, name, content, seconds)))
            except (psycopg2.Error, PipelineFailure) as error:
                reason = " ".join(str(error).split())
                break
        yield SnapshotReaders(tuple(readers), reason)


@contextmanager
def _reader(settings: ShopFields, name: str, content: str, seconds: float) -> Iterator[Connection]:
    with shop_transaction(settings, seconds) as connection:
        with connection.cursor() as cursor:
            cursor.execute("set transaction snapshot %s", (name,))
            cursor.execute("select pg_current_snapshot()::text")
            [(found,)] = cursor.fetchall()
        if found != content:
            # Another server may have exported one of the same name.
            raise psycopg2.OperationalError("the snapshot is another than the one exported")
        yield connection
