"""One real PostgreSQL for all tests of the demo, and a new database in it for each shop."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql

from demo.services import postgres
from tests.support.weekend import Weekend


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a running cluster. Tests may kill or stop it, if they start it again."""
    directory = tmp_path_factory.mktemp("postgres")
    postgres.start(directory)
    yield directory
    postgres.remove(directory)


@pytest.fixture(scope="session")
def new_database(server: Path) -> Callable[[], str]:
    """Makes an empty database per call and returns its DSN."""
    numbers = itertools.count()

    def make() -> str:
        dsn, name = postgres.start(server), f"test_{next(numbers)}"
        with closing(psycopg2.connect(dsn, connect_timeout=10)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return f"{dsn.rsplit('/', 1)[0]}/{name}"

    return make


@pytest.fixture(scope="session")
def weekend(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Weekend:
    """A shop at scale 1 after three days. Only to look at."""
    return Weekend(new_database(), tmp_path_factory.mktemp("weekend"))
