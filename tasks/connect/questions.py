"""Questions to a database that may be large and busy: each may take some seconds, all together twenty."""

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection

T = TypeVar("T")
# A question that takes longer has no index to be answered with: it would only burden the shop.
QUESTION_SECONDS = 3.0
ALL_SECONDS = 20.0


class NotKnown(Exception):
    """A question without an answer; the message says why."""


class Questions:
    """One transaction in which questions are asked, none of them for long."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.ends_at = time.monotonic() + ALL_SECONDS

    def ask(self, answer: Callable[[Connection], T]) -> T:
        """The answer. Raises NotKnown if it takes too long, else what `answer` raises; more may follow."""
        seconds = min(QUESTION_SECONDS, self.ends_at - time.monotonic())
        if seconds <= 0:
            raise NotKnown(f"not asked: the questions before it took {ALL_SECONDS:.0f} s")
        self._execute("savepoint question")
        try:
            self._execute(f"set local statement_timeout = {max(1, int(seconds * 1000))}")
            found = answer(self.connection)
        except psycopg2.errors.QueryCanceled:
            self._execute("rollback to savepoint question")
            raise NotKnown(f"took longer than {seconds:.0f} s") from None
        except psycopg2.Error:
            if not self.connection.closed:
                self._execute("rollback to savepoint question")
            raise
        except Exception:
            self._execute("rollback to savepoint question")
            raise
        self._execute("release savepoint question")
        return found

    def _execute(self, statement: str) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
