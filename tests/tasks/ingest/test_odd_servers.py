"""The same values come from servers of every version, with settings of their own that change how values look."""

import dataclasses
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from psycopg2.extensions import parse_dsn

from blocks.settings.settings import Settings
from tasks.ingest.postgres import check_contracts, extract_table
from tests.support.platforms import Platform, empty_database, here
from tests.support.poolers import open_pooler
from tests.support.postgres_servers import EMBEDDED, installation_of, open_server
from tests.support.rows import DAY, at, customer, order, product, put

ROWS = {
    "orders": [
        order(1, amount=Decimal("1234567.89"), updated_at=at(DAY, 20, 30, 1, 123456)),
        order(2, amount=None, quantity=None, status=None),
    ],
    "customers": [
        customer(1, customer_name="back\\slash, 'quote' and \"quotes\" \n Zoë 東京"),
        customer(2, region=""),
    ],
    "products": [product(1, unit_cost=Decimal("0.01"), product_name="\\N")],
}
ODD = {
    "standard_conforming_strings": "off",
    "datestyle": "German, DMY",
    "timezone": "'Asia/Kolkata'",
    "intervalstyle": "sql_standard",
    "bytea_output": "escape",
    "extra_float_digits": "-5",
    "client_encoding": "LATIN1",
    "search_path": "legacy",
    "default_transaction_isolation": "serializable",
    "idle_in_transaction_session_timeout": "'200ms'",
    "statement_timeout": "'200ms'",
}


@pytest.fixture(scope="module", params=range(13, 19))
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a server of each version that is here."""
    installation = installation_of(request.param)
    if installation is None:
        pytest.skip(f"no PostgreSQL {request.param} here: POSTGRES_INSTALLATIONS names folders of others")
    if installation == EMBEDDED:
        yield request.getfixturevalue("postgres")
        return
    with open_server(tmp_path_factory.mktemp("server"), installation) as opened:
        yield opened.dsn


@pytest.fixture
def odd(server: str, platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """A shop with odd settings, in a schema that only its search path leads to."""
    with empty_database(server) as dsn:
        shop = dataclasses.replace(platform, dsn=dsn)
        for table, rows in ROWS.items():
            put(shop, table, *rows)
        shop.execute("alter schema public rename to legacy")
        for name, value in ODD.items():
            shop.execute(f"alter database {parse_dsn(dsn)['dbname']} set {name} = {value}")
        monkeypatch.setenv("SHOP_DSN", dsn)
        yield shop


def extracted(shop: Platform) -> dict[str, list[dict[str, Any]]]:
    """What bronze holds after a first run; the contracts find nothing to say."""
    assert check_contracts.fn(Settings()) == {name: [] for name in ROWS}
    bronze = {}
    for table in ROWS:
        extract_table.fn(table, DAY, *here())
        columns = list(ROWS[table][0])
        rows = shop.lake.table(f"bronze.{table}").to_pyarrow_table().select(columns).to_pylist()
        bronze[table] = sorted(rows, key=lambda row: row[f"{table.removesuffix('s')}_id"])
    return bronze


def test_values_are_what_they_are(odd: Platform) -> None:
    assert extracted(odd) == ROWS


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_pooler_before_it_changes_nothing(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    for table, rows in ROWS.items():
        put(platform, table, *rows)
    with open_pooler(platform.dsn, tmp_path, pool_mode=mode) as dsn:
        monkeypatch.setenv("SHOP_DSN", dsn)
        assert extracted(platform) == ROWS
