"""The lineage of the whole project: nothing is without a source, known ways are found, and a rename fails."""

import copy
from typing import Any

import numpy as np
import pandas as pd
import pytest

from blocks.settings.environment import REPOSITORY
from blocks.settings.failures import PermanentFailure
from lake.catalog import OPTIONAL_TABLES
from tasks.features.contract import feature_tables
from tasks.features.warehouse_copy import ROW_KEY
from tasks.lineage.features import SCORES
from tasks.lineage.figures import traced
from tasks.lineage.graph import Lineage, Ref
from tasks.lineage.trace import trace
from tasks.repeat_purchase.examples import Split
from tasks.repeat_purchase.scoring import MART, mart_rows
from tasks.report import queries
from tasks.report.models import FIGURES
from tests.support.rows import DAY

# Of each column, by its unambiguous name, what it is made of in the shop.
KNOWN = {
    "gold.agg_daily_sales.total_revenue": {"shop.orders.amount"},
    "gold.agg_daily_sales.profit_margin_pct": {
        "shop.orders.amount", "shop.orders.quantity", "shop.products.unit_cost"
    },
    "gold.agg_daily_sales.total_orders": {"shop.orders.order_number", "shop.orders.order_id"},
    "gold.agg_daily_sales.region": {"shop.customers.region"},
    "gold.agg_daily_sales.total_order_rows": {"shop.orders.*"},
    "gold.fct_orders.profit_amount": {"shop.orders.amount", "shop.orders.quantity", "shop.products.unit_cost"},
    "gold.dim_customers.lifetime_amount": {"shop.orders.amount"},
    "gold.dim_customers.known_versions": {"shop.customers.*"},
    "gold.dim_products.unit_cost": {"shop.products.unit_cost"},
    "gold.customer_segments.m_score": {"shop.orders.amount"},
    "gold.agg_daily_funnel.conversion_rate_pct": {"shop.clickstream.*", "shop.clickstream.event_type"},
    "gold.agg_daily_funnel.total_visitors": {"shop.clickstream.user_id"},
    "gold.fct_inventory_daily.closing_on_hand": {"shop.inventory.on_hand"},
    "gold.inventory_status.units_per_day": {"shop.orders.quantity", "shop.orders.order_date"},
    "gold.inventory_status.on_hand": {"shop.inventory.on_hand"},
    "snapshots.snap_products.dbt_valid_from": {"shop.products.updated_at"},
    "snapshots.snap_products.dbt_scd_id": {"shop.products.product_id", "shop.products.updated_at"},
    "lake.gold.daily_sales.avg_order_value": {
        "shop.orders.amount", "shop.orders.order_number", "shop.orders.order_id"
    },
    "metrics.orders.profit_margin": {"shop.orders.amount", "shop.orders.quantity", "shop.products.unit_cost"},
    "metrics.stock.days_of_cover": {
        "shop.inventory.on_hand", "shop.orders.quantity", "shop.orders.order_date"
    },
    "lake.gold.reorder_policy.forecast_per_day": {"shop.orders.order_date", "shop.orders.quantity"},
    "gold.inventory_status.quantity_to_order": {
        "shop.inventory.on_hand", "shop.orders.quantity", "shop.orders.order_date"
    },
    "features.product_features.units_28d": {"shop.orders.order_date", "shop.orders.quantity"},
    "features.product_features.unit_cost": {"shop.products.unit_cost"},
    "features.customer_features.region": {"shop.customers.region"},
    "features.customer_features.revenue_28d": {
        "shop.orders.amount", "shop.orders.order_date", "shop.orders.status"
    },
    "features.customer_features.created_timestamp": set(),
    "gold.repeat_purchase_scores.customer_id": {"shop.customers.customer_id", "shop.orders.customer_id"},
    "gold.repeat_purchase_scores.decile": {
        "shop.customers.customer_segment", "shop.customers.region", "shop.orders.amount",
        "shop.orders.order_date", "shop.orders.order_id", "shop.orders.order_number",
        "shop.orders.product_id", "shop.orders.status",
    },
    "report.day.revenue": {"shop.orders.amount"},
    "report.day.margin_pct": {"shop.orders.amount", "shop.orders.quantity", "shop.products.unit_cost"},
    "report.customers_by_value.revenue": {"shop.orders.amount"},
    "report.stock_at_risk.product_name": {"shop.products.product_name"},
}  # fmt: skip
# Columns of marts that are made of nothing in the shop.
MADE = {
    *(f"gold.{mart}.load_id" for mart in ("fct_orders", "agg_daily_sales", "fct_inventory_daily")),
    *(f"gold.{mart}.deleted_at" for mart in ("fct_orders", "dim_customers", "dim_products")),
    # Of the suppliers' terms, for which this shop has no table.
    *(f"gold.inventory_status.{name}" for name in ("lead_time_days", "on_order")),
    *(f"gold.repeat_purchase_scores.{name}" for name in ("feature_date", "horizon_days", "trained_until")),
}


def ref(name: str) -> Ref:
    dataset, _, column = name.rpartition(".")
    return Ref(dataset, column)


def origins(lineage: Lineage, name: str, indirect: bool = False) -> set[str]:
    return set(map(str, lineage.origins(ref(name), indirect)))


def test_every_column_is_made_of_another_or_by_the_pipeline(lineage: Lineage) -> None:
    assert lineage.unexplained() == []
    marts = [dataset for dataset in lineage.datasets if dataset.layer == "gold"]
    names = [f"{mart.name}.{name}" for mart in marts for name in mart.names]
    assert {name for name in names if not origins(lineage, name)} == MADE
    assert len(marts) >= 8
    assert len(names) > 90


def test_the_marts_have_the_columns_that_dbt_describes(lineage: Lineage, manifest: dict[str, Any]) -> None:
    nodes = [node for node in manifest["nodes"].values() if node["resource_type"] in ("model", "snapshot")]
    compared = 0
    for node in nodes:
        if node["name"] != "time_spine":
            dataset = lineage.dataset(f"{node['schema']}.{node['name']}")
            assert set(dataset.names) == set(node["columns"])
            assert all(dataset.columns[name].description for name in dataset.names)
            compared += 1
    assert compared == len(nodes) - 1 > 15


@pytest.mark.parametrize(("name", "expected"), KNOWN.items(), ids=KNOWN)
def test_a_known_way_is_found(lineage: Lineage, name: str, expected: set[str]) -> None:
    assert origins(lineage, name) == expected


def test_what_decides_which_rows_count_is_told_apart(lineage: Lineage) -> None:
    """A cancelled order sells nothing: its status is in no rate, and in all of them."""
    rate = "gold.inventory_status.units_per_day"
    assert "shop.orders.status" not in origins(lineage, rate)
    assert "shop.orders.status" in origins(lineage, rate, indirect=True)
    assert "shop.orders.status" not in origins(lineage, "gold.agg_daily_sales.total_revenue", indirect=True)
    assert "shop.products.product_id" in origins(lineage, "gold.fct_orders.cost_amount", indirect=True)


def test_what_a_column_of_the_shop_changes(lineage: Lineage) -> None:
    uses = set(map(str, lineage.uses(ref("shop.products.unit_cost"))))
    assert {
        "report.day.margin_pct",
        "gold.agg_daily_sales.profit_margin_pct",
        "metrics.orders.total_profit",
    } <= uses
    assert not {name for name in uses if "revenue" in name} - {
        *("gold.agg_daily_sales.known_cost_revenue", "metrics.orders.known_cost_revenue")
    }


def test_the_sql_of_a_column_is_shown(lineage: Lineage) -> None:
    column = lineage.column(ref("gold.agg_daily_sales.total_revenue"))
    assert column.expression == "SUM(changed_orders.order_amount)"
    assert lineage.column(ref("metrics.orders.profit_margin")).expression == (
        "total_profit / nullif(known_cost_revenue, 0)"
    )


def test_the_figures_of_the_report_are_computed_of_what_their_metrics_are(lineage: Lineage) -> None:
    """The page adds up by itself, for many days at once; its SQL reads what the metric does."""
    marts = [dataset for dataset in lineage.datasets if dataset.layer == "gold"]
    asked = traced(lambda query: queries.read_days(query, DAY), marts)
    parts = {
        "revenue": ["revenue"],
        "orders": ["orders"],
        "average_order": ["revenue", "orders"],
        "customers": ["customers"],
        "margin_pct": ["profit", "known_cost_revenue"],
        "conversion_pct": ["purchases", "sessions"],
    }
    assert parts.keys() == FIGURES.keys()
    for field, names in parts.items():
        of_sql = {
            origin for name in names for source in asked[name].direct for origin in lineage.origins(source)
        }
        assert of_sql == set(lineage.origins(Ref("report.day", field))), field


def test_the_terms_of_suppliers_are_traced_where_the_shop_has_them(
    manifest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OPTIONAL_TABLES, "replenishment")
    lineage = trace(None, manifest=manifest)
    assert lineage.unexplained() == []
    assert origins(lineage, "gold.inventory_status.lead_time_days") == {"shop.replenishment.lead_time_days"}
    assert {
        *("shop.replenishment.service_level", "shop.replenishment.minimum_order"),
        *("shop.replenishment.pack_size", "shop.orders.quantity", "shop.inventory.on_hand"),
    } <= origins(lineage, "gold.inventory_status.quantity_to_order")


def test_the_scores_have_the_columns_that_the_model_writes(lineage: Lineage) -> None:
    assert f"gold.{MART}" == SCORES
    customers = pd.DataFrame({"customer_id": [1], "feature_date": [DAY]})
    written = mart_rows(customers, np.array([0.5]), Split([DAY], [DAY], [DAY]))
    assert lineage.dataset(SCORES).names == written.column_names


def test_the_feature_tables_have_the_columns_that_are_loaded(lineage: Lineage) -> None:
    for table in feature_tables().values():
        assert lineage.dataset(f"lake.{table.lake_name}").names == table.schema.names
        assert lineage.dataset(table.lake_name).names == [ROW_KEY, *table.schema.names, "load_id"]


def test_nothing_personal_reaches_features_or_scores(lineage: Lineage) -> None:
    uses = set(map(str, lineage.uses(ref("shop.customers.customer_name"), indirect=True)))
    assert "gold.dim_customers.customer_name" in uses
    assert not {
        name for name in uses if name.startswith(("features.", "lake.features.", "lake.versions.", SCORES))
    }


def test_a_column_is_found_by_the_end_of_its_name(lineage: Lineage) -> None:
    assert lineage.find("agg_daily_sales.total_revenue") == [Ref("gold.agg_daily_sales", "total_revenue")]
    assert Ref("gold.fct_orders", "order_amount") in lineage.find("order_amount")
    assert lineage.find("amount_that_nobody_has") == []
    assert lineage.find("revenue") == [
        Ref("report.day", "revenue"),
        Ref("report.customers_by_value", "revenue"),
    ]


@pytest.mark.parametrize(
    ("model", "before", "after", "named"),
    [
        ("stg_products", "as unit_cost", "as cost", ["int_orders_enriched.sql", "unit_cost"]),
        ("fct_orders", "cost_amount,", "cost_amount as cost,", ["agg_daily_sales.sql", "cost_amount"]),
        (
            "inventory_status",
            "units_per_day,\n        days",
            "units_per_day as rate,\n        days",
            ["tasks/report/queries.py", "units_per_day"],
        ),
    ],
)
def test_a_renamed_column_fails(
    manifest: dict[str, Any], model: str, before: str, after: str, named: list[str]
) -> None:
    """In the model that reads it, and in the report: each names what is missing."""
    changed = copy.deepcopy(manifest)
    node = changed["nodes"][f"model.ecommerce.{model}"]
    assert before in node["compiled_code"]
    head, _, tail = node["compiled_code"].rpartition(before)
    node["compiled_code"] = head + after + tail
    with pytest.raises(PermanentFailure) as failure:
        trace(None, manifest=changed)
    assert all(word in str(failure.value) for word in named), failure.value


def test_a_metric_over_a_column_that_is_not_there_fails(manifest: dict[str, Any]) -> None:
    changed = copy.deepcopy(manifest)
    [measure] = [
        measure
        for model in changed["semantic_models"].values()
        for measure in model["measures"]
        if measure["name"] == "total_revenue"
    ]
    measure["expr"] = "amount"
    with pytest.raises(PermanentFailure, match=r"not there: gold\.fct_orders\.amount; correct"):
        trace(None, manifest=changed)


@pytest.mark.parametrize(
    ("shop", "column", "expected"),
    [
        ("odoo", "amount", {"database.sale_order.currency_rate", "database.sale_order_line.price_total"}),
        ("saleor", "amount", {"database.order_orderline.total_price_gross_amount"}),
        ("medusa", "order_number", {"database.order.display_id"}),
    ],
)
def test_a_shop_with_queries_is_traced_to_its_own_tables(
    manifest: dict[str, Any], shop: str, column: str, expected: set[str]
) -> None:
    lineage = trace(REPOSITORY / "docs" / "howto" / "shops" / shop, manifest=manifest)
    assert origins(lineage, f"shop.orders.{column}") == expected
    assert expected <= origins(lineage, "report.day.revenue" if column == "amount" else "report.day.orders")
    assert lineage.unexplained() == []


def test_a_query_that_cannot_be_read_is_said_to_make_its_columns(
    manifest: dict[str, Any], tmp_path: Any
) -> None:
    (tmp_path / "orders.sql").write_text("select frobnicate from from")
    lineage = trace(tmp_path, manifest=manifest)
    assert lineage.column(Ref("shop.orders", "amount")).made == "The query orders.sql."
    assert origins(lineage, "report.day.margin_pct") == {"shop.products.unit_cost"} | {
        "shop.orders.amount", "shop.orders.quantity"
    }  # fmt: skip
