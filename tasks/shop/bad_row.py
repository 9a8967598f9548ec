"""The row that makes a query fail: a byte that the server cannot convert, a view that divides by zero."""

import os
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from tasks.shop.relation import SQL, Relation


def first_bad_key(connection: Connection, relation: Relation) -> object | None:
    """The first key, in its order, of a row that cannot be read; None if each alone can be, or has no key.

    Halves the keys again and again, inside savepoints: reads about as much as one more extract does.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            SQL("select {key} from {source} where {key} is not null order by 1").format(
                key=relation.key, source=relation.source
            )
        )
        keys = [key for (key,) in cursor.fetchall()]
    if not keys or _can_read(connection, relation, keys):
        return None
    while len(keys) > 1:
        half = len(keys) // 2
        keys = keys[half:] if _can_read(connection, relation, keys[:half]) else keys[:half]
    return keys[0]


def _can_read(connection: Connection, relation: Relation, keys: list[object]) -> bool:
    ends = SQL("{key} >= {first} and {key} <= {last}").format(
        key=relation.key, first=sql.Literal(keys[0]), last=sql.Literal(keys[-1])
    )
    with connection.cursor() as cursor, Path(os.devnull).open("wb") as nowhere:
        cursor.execute("savepoint attempt")
        try:
            cursor.copy_expert(relation.copy_query(ends), nowhere)
        except psycopg2.DataError:
            cursor.execute("rollback to savepoint attempt")
            return False
        cursor.execute("release savepoint attempt")
        return True
