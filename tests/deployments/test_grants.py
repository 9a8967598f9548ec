"""Least privilege: deployments/grants as an administrator runs it, and a password that is changed between runs.

PostgreSQL's grants are run on a real PostgreSQL. Neither emulator of the other warehouses knows roles, so theirs
are only parsed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import duckdb
import psycopg2
import pytest
import sqlglot
from prefect.settings import get_current_settings
from psycopg2 import sql

from blocks.settings.environment import REPOSITORY
from blocks.shop_database import ShopDatabase
from flows.daily import daily_ecommerce_pipeline
from lake.catalog import shop_tables
from tasks.ledger.postgres_copy import copy_ledger_to_postgres
from tasks.ledger.tables import TABLES
from tests.support.platforms import Platform, empty_database, here
from tests.support.rows import DAY
from tests.support.small_shop import open_shop

GRANTS = REPOSITORY / "deployments" / "grants"


def grant(dsn: str, file: str, *roles: str) -> dict[str, str]:
    """Run a file as an administrator, its roles under names of their own; returns a DSN for each."""
    script, logins = (GRANTS / file).read_text(encoding="utf-8"), {}
    for role in roles:
        name, password = f"{role}_{uuid4().hex[:8]}", f"hunter2-{uuid4().hex}"
        script = re.sub(rf"\b{role}\b", name, script)
        logins[role] = re.sub("//.*@", f"//{name}:{password}@", dsn)
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(script)
        for login in logins.values():
            change_password(cursor, login)
    connection.close()
    return logins


def change_password(cursor: psycopg2.extensions.cursor, dsn: str) -> None:
    name, password = dsn.split("//")[1].split("@")[0].split(":")
    cursor.execute(sql.SQL("alter role {} password %s").format(sql.Identifier(name)), (password,))


@pytest.fixture
def reader(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The DSN of the shop's reader, which is that of the platform."""
    dsn = grant(platform.dsn, "shop_reader.sql", "pipeline_reader")["pipeline_reader"]
    monkeypatch.setenv("SHOP_DSN", dsn)
    yield dsn
    name = sql.Identifier(dsn.split("//")[1].split(":")[0])
    with psycopg2.connect(platform.dsn) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("drop owned by {}; drop role {}").format(name, name))
    connection.close()


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_a_day_needs_no_more_than_the_reader_may(platform: Platform, reader: str) -> None:
    platform.execute("create table staff (name text)")
    open_shop(platform)
    daily_ecommerce_pipeline(DAY)
    [(orders, amount)] = platform.execute("select count(*), sum(amount) from orders where amount > 0")
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        found = connection.execute("select count(*), sum(order_amount) from gold.fct_orders").fetchone()
    assert found == (orders, amount)
    assert {source for source in shop_tables() if platform.lake.table(f"bronze.{source}") is None} == set()

    for statement, refusal in {
        "delete from orders": "permission denied|read-only transaction",
        "set transaction read write; update orders set amount = 1": "permission denied for table orders",
        "set transaction read write; create table mine (a int)": "permission denied for schema public",
        "select * from staff": "permission denied for table staff",
        "set transaction read write; create database mine": "cannot run inside|permission denied",
    }.items():
        with psycopg2.connect(reader) as connection, connection.cursor() as cursor:
            with pytest.raises(psycopg2.Error, match=refusal):
                cursor.execute(statement)
            connection.rollback()
        connection.close()

    # And the password is in no file that the run has left.
    password = reader.split(":")[2].split("@")[0].encode()
    files = [path for path in platform.folder.rglob("*") if path.is_file()]
    assert len(files) > 100
    assert [path for path in files if password in path.read_bytes()] == []


def test_the_ledgers_copy_needs_a_schema_of_its_own(
    platform: Platform, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_database(postgres, tables=False) as dsn:
        logins = grant(dsn, "ops_database.sql", "pipeline_ops", "ops_reader")
        monkeypatch.setenv("OPS_DSN", logins["pipeline_ops"])
        for _ in range(2):
            # Twice: the reader keeps tables that are made anew.
            copy_ledger_to_postgres(*here())
        with psycopg2.connect(logins["ops_reader"]) as connection, connection.cursor() as cursor:
            for table in TABLES:
                cursor.execute(sql.SQL("select count(*) from ops.{}").format(sql.Identifier(table)))
            connection.rollback()
            for statement in ("delete from ops.overrides", "create table ops.mine (a int)"):
                cursor.execute("set transaction read write")
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cursor.execute(statement)
                connection.rollback()
        connection.close()
        with psycopg2.connect(logins["pipeline_ops"]) as connection, connection.cursor() as cursor:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute("create schema another")
        connection.close()
        with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
            for login in logins.values():
                name = sql.Identifier(login.split("//")[1].split(":")[0])
                cursor.execute(sql.SQL("drop owned by {} cascade; drop role {}").format(name, name))
        connection.close()


def test_a_changed_password_counts_from_the_next_run_on(
    platform: Platform, reader: str, prefect_server: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The block is changed between two runs, each in a process of its own, as a worker starts them."""
    open_shop(platform)
    block = ShopDatabase(shop_dsn=reader, shop_timezone="UTC")
    block.save("production", overwrite=True)
    # What the block says wins over this.
    environment = os.environ | {
        "SHOP_DSN": "postgresql://nobody@127.0.0.1:1/none",
        "RETRY_DELAY_SECONDS": "0",
    }
    environment["PREFECT_API_URL"] = str(get_current_settings().api.url)

    def extract() -> subprocess.CompletedProcess[str]:
        code = (
            "import datetime as dt\n"
            "from blocks.settings.settings import Settings\n"
            "from lake.delta import Lake\n"
            "from tasks.ingest.postgres import extract_table\n"
            "settings = Settings()\n"
            f"print(extract_table.fn('orders', dt.date.fromisoformat('{DAY}'), settings, Lake(settings.lake_uri)))"
        )
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=REPOSITORY,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    try:
        first = extract()
        assert "rows=25" in first.stdout, first.stderr

        rotated = re.sub(":hunter2-[0-9a-f]+@", f":hunter2-{uuid4().hex}@", reader)
        with psycopg2.connect(platform.dsn) as connection, connection.cursor() as cursor:
            change_password(cursor, rotated)
        connection.close()
        refused = extract()
        assert refused.returncode == 1
        assert "hunter2" not in refused.stdout + refused.stderr
        assert "password" in refused.stderr.splitlines()[-1]

        ShopDatabase(shop_dsn=rotated, shop_timezone="UTC").save("production", overwrite=True)
        again = extract()
        assert "rows=0" in again.stdout, again.stderr
    finally:
        ShopDatabase.delete("production")


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery"])
def test_the_other_warehouses_grants_can_be_read(dialect: str) -> None:
    """Read by sqlglot: it knows GRANT and CREATE; roles and users it takes as they are."""
    statements = sqlglot.parse((GRANTS / f"{dialect}.sql").read_text(encoding="utf-8"), dialect=dialect)
    kinds = [type(each).__name__ for each in statements if each]
    assert kinds.count("Grant") >= 3
    assert set(kinds) <= {"Grant", "Create", "Command"}
    text = (GRANTS / f"{dialect}.sql").read_text(encoding="utf-8").lower()
    # Neither owners' nor administrators' rights, and nothing on raw rows for readers.
    for too_much in ("ownership", "all privileges", "accountadmin", "sysadmin", "dataowner", "roles/owner"):
        assert too_much not in text
    to_readers = [
        line for line in text.splitlines() if line.endswith(("to role analyst;", 'analysts@example.com";'))
    ]
    assert to_readers
    assert [line for line in to_readers if "silver" in line or "quarantine" in line] == []


def test_every_source_table_is_granted() -> None:
    text = (GRANTS / "shop_reader.sql").read_text(encoding="utf-8")
    assert [table for table in shop_tables() if f"public.{table}" not in text] == []
