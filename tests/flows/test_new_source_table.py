"""A new source table is one new file: a contract. Everything else about it comes from there."""

import datetime as dt
import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from lake.source_table import TIMESTAMP
from tests.support.howto import copy_repository
from tests.support.platforms import Platform
from tests.support.rows import DAY, at, click, customer, order, product, put, write_clicks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CONTRACT = """
apiVersion: v3.1.0
kind: DataContract
id: shop-suppliers
name: suppliers
version: 1.0.0
status: active
schema:
  - name: suppliers
    physicalType: table
    description: Who the shop buys from.
    customProperties:
      - {property: cursor, value: changed_at}
      - {property: deletes, value: keep}
    properties:
      - name: supplier_id
        logicalType: integer
        physicalType: bigint
        primaryKey: true
        required: true
        description: The supplier's id in the shop.
      - name: contact_name
        logicalType: string
        physicalType: text
        classification: personal
        description: Whom to call.
      - name: rating
        logicalType: number
        physicalType: numeric(3,1)
        logicalTypeOptions: {minimum: 0, maximum: 10}
        description: How content the buyers are, from 0 to 10.
      - name: changed_at
        logicalType: timestamp
        physicalType: timestamp with time zone
        required: true
        description: When the shop last changed the row.
slaProperties:
  - {property: freshness, value: 48, unit: h, element: suppliers.changed_at}
"""
SUPPLIERS = f"""
create table suppliers (
    supplier_id bigint primary key, contact_name text, rating numeric(3,1), changed_at timestamptz
);
insert into suppliers values
    (1, 'Ada', 9.5, '{at(DAY, 9)}'), (2, 'Grace', null, '{at(DAY, 10)}'), (3, 'Edsger', 11.0, '{at(DAY, 11)}')
"""


def run(repository: Path, module: str, *arguments: str) -> str:
    """What a command of the pipeline prints."""
    environment = os.environ | {"PREFECT_HOME": str(repository / "data" / "prefect")}
    environment |= {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180"}
    ended = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=repository,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert ended.returncode == 0 or module == "flows.status", ended.stdout + ended.stderr
    return ended.stdout


def test_one_contract_brings_a_table_to_every_layer(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.execute(SUPPLIERS)
    put(platform, "customers", customer(1))
    put(platform, "products", product(1))
    put(platform, "orders", *(order(number) for number in range(1, 30)))
    write_clicks(platform.clickstream, DAY, [click("a")])
    repository = copy_repository(tmp_path / "repository")
    (repository / "expectations" / "contracts" / "suppliers.yaml").write_text(CONTRACT, encoding="utf-8")
    # A third of three rows breaks a rule, which would stop a run of a shop so small.
    monkeypatch.setenv("QUARANTINE_THRESHOLD", "0.5")

    printed = run(repository, "flows.daily", DAY.isoformat())
    assert "rating_in_range" in printed

    lake = platform.lake
    assert lake.table("bronze.suppliers").to_pyarrow_table().num_rows == 3
    silver = lake.table("silver.suppliers").to_pyarrow_table()
    assert silver.schema.field("rating").type == pa.decimal128(3, 1)
    assert silver.schema.field("changed_at").type == TIMESTAMP
    assert sorted(silver["supplier_id"].to_pylist()) == [1, 2]
    (rejected,) = lake.table("quarantine.suppliers").to_pyarrow_table().to_pylist()
    assert (rejected["key"], rejected["reason"], rejected["source"]) == ("3", "rating_in_range", "suppliers")
    assert json.loads(rejected["raw"])["contact_name"] == "Edsger"

    with duckdb.connect(platform.warehouse, read_only=True) as warehouse:
        assert warehouse.execute(
            "select supplier_id, contact_name, rating::varchar from silver.suppliers order by 1"
        ).fetchall() == [(1, "Ada", "9.5"), (2, "Grace", None)]
        assert warehouse.execute("select source, key, reason from quarantine.open_rows").fetchall() == [
            ("suppliers", "3", "rating_in_range")
        ]

    status = json.loads(run(repository, "flows.status", "--json"))
    assert dt.datetime.fromisoformat(status["newest_data"]["suppliers"]) == at(DAY, 10)

    run(repository, "flows.data_quality", DAY.isoformat())
    page = (tmp_path / "reports" / "docs" / "dbt.html").read_text(encoding="utf-8")
    for words in (
        "source.ecommerce.silver.suppliers",
        "Who the shop buys from.",
        "Whom to call.",
        "personal",
    ):
        assert words in page, words
