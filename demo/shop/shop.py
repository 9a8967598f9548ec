"""The synthetic shop: a deterministic simulation that plays one business day (UTC) after another.

It fills PostgreSQL, a clickstream folder and a Kafka topic, with the late rows and the dirt that real shops
have.

All state is in the database, so any process can go on where another stopped.
"""

import contextlib
import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg2
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor

from demo.shop import clickfiles, clickstream, stock, tables
from demo.shop.chance import DAY, die
from demo.shop.tables import Order
from demo.shop.trade import Trade

HISTORY_DAYS = 14
# Only one player at a time, by a PostgreSQL advisory lock of this number.
PLAYER = 5_117_340
# A day at scale 1 takes about a second; the limit is for a lock that never comes.
SESSION = "-c timezone=UTC -c statement_timeout=300s"


class Played(NamedTuple):
    """The counts of one day: rows per table, and lines of the clickstream, broken ones too."""

    orders: int
    customers: int
    products: int
    click_lines: int


class Shop:
    """A shop in the database `dsn` and the folder `clickstream`.

    The same `seed` and `scale` give the same rows and files, byte for byte. `scale` 1 is about 400 orders and
    6,000 clicks a weekday.
    """

    def __init__(self, dsn: str, clickstream: Path, seed: int = 7, scale: float = 1.0) -> None:
        self.dsn = dsn
        self.clickstream = clickstream
        self.seed = seed
        self.scale = scale

    def open(self, first_day: dt.date) -> None:
        """Create the tables, with the customers, products and orders of the 14 days before `first_day`.

        Opening an open shop again changes nothing. ValueError when it was opened in another way.
        """
        with self._transaction() as cursor:
            if _clock_exists(cursor):
                opened, _ = self._clock(cursor)
                if opened != first_day:
                    raise ValueError(f"The shop opened on {opened}, not on {first_day}.")
                return
            cursor.execute(tables.DDL)
            cursor.execute("INSERT INTO demo.clock VALUES (%s, %s, %s)", (self.seed, self.scale, first_day))
            history = first_day - HISTORY_DAYS * DAY
            trade = Trade(cursor, self.seed, self.scale)
            trade.found(history)
            for number in range(HISTORY_DAYS):
                trade.play(history + number * DAY)

    def play(self, day: dt.date) -> Played:
        """Let `day` happen: rows and clickstream files.

        Days come one after the other; ValueError for any other than the next. All rows of a day are one
        transaction, and its files are in place before the commit: a killed play is simply played again.
        """
        with self._transaction() as cursor:
            if not _clock_exists(cursor):
                raise ValueError("The shop is not open yet: call open() first.")
            first_day, last_day = self._clock(cursor)
            expected = last_day + DAY if last_day else first_day
            if day != expected:
                raise ValueError(f"The next day to play is {expected}, not {day}.")
            dealings = Trade(cursor, self.seed, self.scale).play(day)
            stock.play(cursor, self.seed, day, dealings.placed)
            click_lines = self._clicks(cursor, day, dealings.placed)
            cursor.execute("UPDATE demo.clock SET last_day = %s", (day,))
        return Played(dealings.orders, dealings.customers, dealings.products, click_lines)

    def publish_stock(self) -> int:
        """Bring the stock events that wait to Kafka; returns how many. Raises kafka.errors.KafkaError."""
        with contextlib.closing(self._connect()) as connection:
            return stock.publish(connection)

    def last_day(self) -> dt.date | None:
        """The last day played, by whichever process; None before the first."""
        with self._transaction() as cursor:
            if not _clock_exists(cursor):
                return None
            cursor.execute("SELECT last_day FROM demo.clock")
            [(day,)] = cursor.fetchall()
            return day

    def _clicks(self, cursor: Cursor, day: dt.date, placed: list[Order]) -> int:
        """Write the day's clickstream folder; returns its number of lines."""
        rng = die(self.seed, day, "clicks")
        customers, products = tables.customers(cursor), tables.products(cursor)
        events = clickstream.events_of(rng, day, placed, customers, products, self.scale)
        return clickfiles.write(rng, self.clickstream, day, events, self.scale)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Cursor]:
        connection = self._connect()
        with contextlib.closing(connection), connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (PLAYER,))
            yield cursor

    def _connect(self) -> Connection:
        return psycopg2.connect(self.dsn, connect_timeout=10, options=SESSION)

    def _clock(self, cursor: Cursor) -> tuple[dt.date, dt.date | None]:
        """First day and last day played. ValueError when another seed or scale has played here."""
        cursor.execute("SELECT seed, scale, first_day, last_day FROM demo.clock")
        [(seed, scale, first_day, last_day)] = cursor.fetchall()
        if (seed, scale) != (self.seed, self.scale):
            raise ValueError(
                f"This shop runs with seed {seed} and scale {scale:g}, "
                f"not with seed {self.seed} and scale {self.scale:g}."
            )
        return first_day, last_day


def _clock_exists(cursor: Cursor) -> bool:
    cursor.execute("SELECT to_regclass('demo.clock') IS NOT NULL")
    [(exists,)] = cursor.fetchall()
    return exists
