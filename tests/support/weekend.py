"""Three days of a shop at scale 1, kept as they were, and how to look at them. Shared by the demo's tests."""

import datetime as dt
import gzip
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from demo.shop.shop import Shop

FRIDAY = dt.date(2026, 3, 6)
SATURDAY, SUNDAY = FRIDAY + dt.timedelta(days=1), FRIDAY + dt.timedelta(days=2)
COLUMNS = """
    SELECT column_name FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = %s ORDER BY ordinal_position
"""
TABLES = ("orders", "customers", "products")


def query(dsn: str, statement: str, *values: Any) -> list[tuple]:
    connection = psycopg2.connect(dsn, connect_timeout=5, options="-c timezone=UTC")
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def midnight(day: dt.date) -> dt.datetime:
    return dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)


def lines(folder: Path, day: dt.date) -> list[str]:
    """The day's clickstream lines, file by file."""
    texts = []
    for path in sorted((folder / day.isoformat()).iterdir()):
        content = path.read_bytes()
        texts.append((gzip.decompress(content) if path.suffix == ".gz" else content).decode())
    return "".join(texts).splitlines()


class Weekend:
    """A shop at scale 1, played from Friday to Sunday: its rows after opening and after each day."""

    def __init__(self, dsn: str, folder: Path) -> None:
        self.dsn, self.folder = dsn, folder
        shop = Shop(dsn, folder)
        shop.open(FRIDAY)
        self.states = [self._state()]
        for day in (FRIDAY, SATURDAY, SUNDAY):
            shop.play(day)
            self.states.append(self._state())

    def _state(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Table → key → row; the key is in the row once more as `k`."""
        state = {}
        for table in TABLES:
            columns = [name for (name,) in query(self.dsn, COLUMNS, table)]
            everything = query(self.dsn, f"SELECT * FROM {table}")
            state[table] = {
                row[0]: {"k": row[0], **dict(zip(columns, row, strict=True))} for row in everything
            }
        return state

    def written(self, table: str, number: int) -> list[dict[str, Any]]:
        """The rows that the `number`th played day (1, 2, 3) inserted or changed."""
        before, after = self.states[number - 1][table], self.states[number][table]
        return [row for key, row in after.items() if before.get(key) != row]
