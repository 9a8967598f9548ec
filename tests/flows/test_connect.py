"""`python -m flows.connect` as people call it: verdicts, exit codes, JSON, and that nothing is written."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg2.extensions import parse_dsn

from blocks.settings.environment import REPOSITORY
from tests.support.platforms import Platform
from tests.support.rows import customer, order, product, put

pytestmark = pytest.mark.timeout(240)


def call(platform: Platform, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Call the command in a process of its own, in a folder that it could write to."""
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "flows.connect", *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "PREFECT_API_URL": "", "PLATFORM": "production", "COLUMNS": "100", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def errors(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join(line for line in done.stderr.splitlines() if not line.startswith("import time:"))


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    return {
        line.rsplit("|", 1)[1].strip().split(".")[0]
        for line in done.stderr.splitlines()
        if re.match(r"import time: +\d", line)
    }


@pytest.fixture
def shop(platform: Platform) -> Platform:
    """A small shop in good order."""
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 31)))
    platform.execute("analyze")
    return platform


def test_a_shop_in_good_order_is_ready_and_nothing_is_written(shop: Platform) -> None:
    written = "select sum(n_tup_ins + n_tup_upd + n_tup_del) from pg_stat_user_tables"
    before = shop.execute(written)
    done = call(shop)
    assert (done.returncode, errors(done)) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith("READY shop test_")
    assert re.fullmatch(r"READY next: python -m flows\.daily \d{4}-\d\d-\d\d", lines[-1])
    assert "30, newest 2024-03-04 12:00 UTC" in done.stdout
    assert "tried on the newest 30 rows: none would be rejected" in done.stdout
    assert "Warnings" not in done.stdout
    assert max(map(len, lines)) <= 100
    assert shop.execute(written) == before
    assert not (shop.folder / "lake").exists()
    assert "prefect" not in imported(done)
    assert "pyspark" in imported(done)


def test_a_broken_shop_is_not_ready_and_everything_is_named(shop: Platform) -> None:
    shop.execute("alter table orders alter column amount type double precision, drop column quantity")
    shop.execute("drop table products")
    done = call(shop, "--json")
    assert (done.returncode, errors(done)) == (1, "")
    found = json.loads(done.stdout)
    assert found["verdict"] == "not ready"
    [amount, quantity, products] = found["broken"]
    assert "orders.amount is double precision, which cannot be read as numeric(12,2) without loss" in amount
    assert "orders.quantity is gone" in quantity
    assert "products: table products is missing" in products
    assert found["next_command"] == "python -m flows.connect --scaffold"
    [column] = [each for each in found["tables"][1]["columns"] if each["name"] == "amount"]
    assert (column["found"], column["is_refused"]) == ("double precision", True)


def test_a_shop_that_does_not_answer_is_unknown(shop: Platform) -> None:
    done = call(shop, SHOP_DSN="postgresql://shop:secret@127.0.0.1:9/shop")
    assert done.returncode == 2
    assert errors(done).startswith("error: the shop's database at 127.0.0.1:9/shop cannot be reached")
    assert "secret" not in errors(done)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({"SHOP_DSN": ""}, "SHOP_DSN is not set", id="no shop"),
        pytest.param({"SHOP_QUERIES": "no/folder"}, "SHOP_QUERIES", id="queries that are not there"),
    ],
)
def test_wrong_settings_are_unknown(
    shop: Platform, variables: dict[str, str], said: str, tmp_path: Path
) -> None:
    done = call(shop, **variables)
    # Empty is not set: a demo that has been played on this machine would answer.
    if variables == {"SHOP_DSN": ""} and (REPOSITORY / "data" / "demo.env").exists():
        pytest.skip("a demo's database is set")
    assert done.returncode == 2
    assert said in errors(done)


def test_a_shop_with_other_names_is_scaffolded_and_then_ready(shop: Platform) -> None:
    shop.execute(
        """
        alter table customers rename to res_partner;
        alter table res_partner rename customer_id to id;
        alter table res_partner rename customer_name to display_name;
        alter table products rename to product_template;
        alter table product_template rename product_id to id;
        alter table product_template rename product_name to title;
        alter table orders rename to sale_order;
        alter table sale_order rename order_id to id;
        alter table sale_order rename customer_id to partner_id;
        alter table sale_order rename order_date to date_order;
        alter table sale_order rename amount to amount_total;
        alter table sale_order rename updated_at to write_date;
        update sale_order set status = 'done' where id < 10;
        """
    )
    assert call(shop).returncode == 1
    folder = shop.folder / "queries"
    done = call(shop, "--scaffold", str(folder))
    assert (done.returncode, errors(done)) == (0, "")
    assert f"set SHOP_QUERIES={folder}" in done.stdout
    done = call(shop, SHOP_QUERIES=str(folder))
    assert (done.returncode, errors(done)) == (0, "")
    assert "orders read from SHOP_QUERIES/orders.sql" in done.stdout


def test_a_user_without_rights_is_told_what_to_grant(shop: Platform) -> None:
    role = f"reader_{uuid4().hex[:12]}"
    shop.execute(f"create role {role} login password 'reader'")
    shop.execute(f"grant select on customers, products to {role}")
    parts = parse_dsn(shop.dsn)
    dsn = f"postgresql://{role}:reader@127.0.0.1:{parts['port']}/{parts['dbname']}"
    done = call(shop, SHOP_DSN=dsn)
    assert done.returncode == 1
    assert "- orders: permission denied for table orders: grant SELECT on it" in done.stdout
    assert done.stdout.splitlines()[-1] == "NOT READY next: python -m flows.connect"
    # The tables beside it are shown all the same.
    assert "customers read from table customers" in done.stdout
    shop.execute(f"drop owned by {role}; drop role {role}")
