"""A shop, a lake and a warehouse of a test's own, and the broker that a test session shares."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg2
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from psycopg2 import sql

from blocks.settings.settings import Settings
from lake.catalog import shop_tables
from lake.delta import Lake


@dataclass(frozen=True)
class Broker:
    """A Kafka broker of the test session."""

    address: str
    directory: Path

    def make_topic(self, partitions: int = 3, **settings: str) -> str:
        """Create a topic of a new name; returns the name."""
        name = f"inventory-{uuid4().hex[:8]}"
        admin = KafkaAdminClient(bootstrap_servers=self.address)
        admin.create_topics([NewTopic(name, partitions, 1, topic_configs=settings)])
        admin.close()
        return name


@dataclass(frozen=True)
class Platform:
    """One shop, lake and warehouse, which the environment points at for the length of a test."""

    dsn: str
    folder: Path

    @property
    def clickstream(self) -> Path:
        return self.folder / "clickstream"

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def lake(self) -> Lake:
        return Lake((self.folder / "lake").as_uri())

    def execute(self, statement: str, parameters: tuple[object, ...] = ()) -> list[tuple]:
        """Run a statement in the shop's database and commit; returns its rows, if it has any."""
        with psycopg2.connect(self.dsn) as connection, connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows


@contextmanager
def empty_database(postgres: str, tables: bool = True) -> Iterator[str]:
    """A new database with the shop's tables (or none) in a PostgreSQL, dropped at the end; gives its DSN."""
    name = f"test_{uuid4().hex}"
    _administer(postgres, sql.SQL("create database {}").format(sql.Identifier(name)))
    dsn = postgres.rsplit("/", 1)[0] + f"/{name}"
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        for table in shop_tables().values() if tables else ():
            columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
            cursor.execute(f"create table {table.name} ({columns}, primary key ({table.key}))")
            cursor.execute(f"create index on {table.name} ({table.cursor})")
    connection.close()
    yield dsn
    _administer(postgres, sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def _administer(postgres: str, statement: sql.Composed) -> None:
    admin = psycopg2.connect(postgres)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(statement)
    admin.close()


def here() -> tuple[Settings, Lake]:
    """The settings and the lake that the environment names now."""
    settings = Settings()
    return settings, Lake(settings.lake_uri)


def lake_here() -> Lake:
    """The lake that the environment names now."""
    return here()[1]
