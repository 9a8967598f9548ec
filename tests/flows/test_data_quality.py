"""The quality flow: it validates every layer, writes what it found, and changes nothing that people read."""

import json
import re
from decimal import Decimal
from pathlib import Path

import duckdb
import lkml
import pytest
from deltalake import write_deltalake

from blocks.settings.failures import DataFailure, PermanentFailure
from flows.daily import daily_ecommerce_pipeline
from flows.data_quality import data_quality
from lake.catalog import catalog, spark_tables
from tasks.bi.hyper import query_extract
from tasks.ingest.postgres import extract_table
from tasks.lineage.graph import Lineage, Ref
from tasks.quality.suites import gold_suites
from tests.support.platforms import Platform, here
from tests.support.rows import DAY, NEXT_DAY, at, click, customer, order, product, put, write_clicks

pytestmark = pytest.mark.usefixtures("prefect_server")


def query(platform: Platform, statement: str) -> list[tuple]:
    with duckdb.connect(platform.warehouse, read_only=True) as connection:
        return connection.execute(statement).fetchall()


def validated_by_the_last_run(platform: Platform) -> set[tuple[str, str]]:
    """(layer, table) of the suites that the last quality run validated."""
    return {each for each in _results_of_the_last_run(platform) if each[0] != "dbt"}


def _results_of_the_last_run(platform: Platform) -> list[tuple[str, str]]:
    return query(
        platform,
        "select layer, table_name from ops.quality_results where run_id = "
        "(select run_id from ops.pipeline_runs where flow = 'data-quality' order by started_at desc limit 1)",
    )


def lineage(page: Path) -> dict[str, list[str]]:
    """What each node of dbt's documentation comes from, as the page itself has it."""
    manifest = re.search(r'"parent_map": (\{.*?\}), "child_map"', page.read_text(encoding="utf-8"), re.DOTALL)
    assert manifest
    return json.loads(manifest[1])


def origins(parents: dict[str, list[str]], node: str) -> set[str]:
    """The sources that a node comes from in the end."""
    if node.startswith("source."):
        return {node.removeprefix("source.ecommerce.")}
    return set().union(*(origins(parents, parent) for parent in parents[node]))


def test_without_marts_it_says_what_to_run_first(platform: Platform) -> None:
    with pytest.raises(PermanentFailure, match="no marts yet; run daily-ecommerce-pipeline first"):
        data_quality(DAY)


@pytest.mark.slow
def test_every_layer_is_validated_and_what_is_wrong_in_any_fails_the_run(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TABLEAU_EXTRACTS", "true")
    put(platform, "customers", customer(1, updated_at=at(DAY)))
    put(platform, "products", product(1, updated_at=at(DAY)))
    put(platform, "orders", *(order(number) for number in range(1, 21)))
    write_clicks(platform.clickstream, DAY, [click("e1")])
    daily_ecommerce_pipeline(DAY)
    report = platform.folder / "reports" / f"{DAY}.html"
    assert 'id="revenue"><data value="200.00">200</data>' in report.read_text(encoding="utf-8")
    extract = platform.folder / "bi" / "tableau" / "Data" / "Extracts" / "fct_orders.hyper"
    assert query_extract(extract, 'select sum("order_amount") from "Extract"."Extract"') == [
        (Decimal("200.00"),)
    ]

    # All is well: every suite has run, and the documentation is there and linked.
    data_quality(DAY)
    # Without Kafka the tables of stock are there, too, and empty.
    silver_and_gold = {("silver", table) for table in catalog()}
    silver_and_gold |= {("gold", table) for table in gold_suites()}
    every_suite = {("bronze", table) for table in spark_tables()} | silver_and_gold
    assert validated_by_the_last_run(platform) == every_suite
    tests_of_dbt = [table for layer, table in _results_of_the_last_run(platform) if layer == "dbt"]
    assert len(tests_of_dbt) > 50
    docs = platform.folder / "reports" / "docs"
    assert len(list((docs / "quality" / "validations").rglob("*.html"))) >= len(every_suite)
    parents = lineage(docs / "dbt.html")
    assert origins(parents, "model.ecommerce.fct_orders") == {
        "ops.deleted_rows",
        "silver.orders",
        "silver.customers",
        "silver.products",
    }
    assert "model.ecommerce.agg_daily_sales" in parents["exposure.ecommerce.daily_report"]
    figures = Lineage.model_validate_json((docs / "lineage.json").read_text(encoding="utf-8"))
    assert Ref("shop.products", "unit_cost") in figures.origins(Ref("report.day", "margin_pct"))
    assert (docs / "lineage.html").exists()
    orders = platform.folder / "bi" / "looker" / "views" / "orders.view.lkml"
    [view] = lkml.load(orders.read_text(encoding="utf-8"))["views"]
    assert {"total_revenue", "avg_order_value"} <= {measure["name"] for measure in view["measures"]}

    # Of what the next day brought half is wrong; silver and a mart were tampered with, also in an older load's row.
    put(platform, "orders", *(order(100 + n, quantity=n, updated_at=at(NEXT_DAY)) for n in range(2)))
    extract_table.fn("orders", NEXT_DAY, *here())
    customers = platform.lake.table("silver.customers")
    write_deltalake(customers, customers.to_pyarrow_table(), mode="append")
    with duckdb.connect(platform.warehouse) as connection:
        connection.execute("update gold.fct_orders set order_amount = 11 where order_id = 7")
        connection.execute("update gold.fct_orders set status = 'lost', load_id = 0 where order_id = 8")
    with pytest.raises(DataFailure) as failure:
        data_quality(NEXT_DAY)
    sentence = str(failure.value)
    assert re.search(r"orders: reject_reason to be null .*: 1 of 2 rows, e\.g\. 100", sentence)
    assert re.search(r"order_totals: .*fact_amount.*2024-03-04", sentence)
    assert re.search(r"fct_orders: status to be in set .*: 1 of 20 rows, e\.g\. 8", sentence)
    assert "customers: customer_id to be unique: 1 more than once, e.g. 1" in sentence
    assert "assert_sales_equal_orders" in sentence
    assert validated_by_the_last_run(platform) == {("bronze", "orders")} | silver_and_gold

    # It has changed nothing of what it validated.
    assert query(platform, "select order_amount from gold.fct_orders where order_id = 7") == [(11,)]
    assert query(
        platform,
        "select status, failed_step from ops.pipeline_runs where flow = 'data-quality' order by started_at",
    ) == [("completed", None), ("failed", "quality-layers")]
