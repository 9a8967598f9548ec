"""One figure, six ways: MetricFlow, LookML, Ossie, the extract, its calculated fields, and the marts themselves.

dbt builds the marts once; what it leaves in its target is what MetricFlow and the files are made of.
"""

import copy
import datetime as dt
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import lkml
import pytest
import yaml

from blocks.settings.failures import PermanentFailure
from lake.local_sql import connect
from tasks.bi.hyper import query_extract, write_extract
from tasks.bi.lookml import lookml_files
from tasks.bi.manifest import parse_project, read_semantic_layer
from tasks.bi.ossie import ossie_files
from tasks.bi.semantic_layer import SemanticLayer, SemanticModel
from tasks.bi.tds import data_source
from tasks.transform.dbt import PROJECT
from tasks.warehouse.duckdb import DuckDBSession
from tests.support.bi_marts import ask_metricflow, build_marts
from tests.support.dbt_shop import Shop
from tests.support.dialects import faults
from tests.support.looker import field_names, field_sql, query
from tests.support.tableau import formula_sql

# By hand, from the rows of tests/support/dbt_shop.py: revenue and orders of each day.
REVENUE = {
    dt.date(2024, 2, 20): Decimal("50.00"),
    dt.date(2024, 3, 1): Decimal("107.77"),
    dt.date(2024, 3, 2): Decimal("75.45"),
    dt.date(2024, 3, 3): Decimal("5.35"),
    dt.date(2024, 3, 4): Decimal("60.00"),
}
# The column by which MetricFlow dates a model's metrics.
DATES = {"orders": "order_date", "sessions": "event_date", "stock": "newest_event_at"}
WANTED = {
    *("total_revenue", "total_orders", "avg_order_value", "profit_margin", "unique_customers"),
    *("conversion_rate", "view_to_cart_rate", "cart_to_checkout_rate", "checkout_to_purchase_rate"),
    "days_of_cover",
}
# By hand as well: on 1 March two sessions view, one fills a cart, none goes to checkout; on the 2nd, one does.
STEPS = {
    "view_to_cart_rate": {dt.date(2024, 3, 1): Decimal("0.5"), dt.date(2024, 3, 3): Decimal(0)},
    "cart_to_checkout_rate": {dt.date(2024, 3, 1): Decimal(0)},
    "checkout_to_purchase_rate": {dt.date(2024, 3, 2): Decimal(0)},
}


@pytest.fixture(scope="module")
def marts(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return build_marts(tmp_path_factory.mktemp("bi"))


@pytest.fixture(scope="module")
def manifest(marts: Shop) -> dict[str, Any]:
    """The manifest of the build; that of `parse_project` is the same, and takes five seconds."""
    return json.loads((marts.path.parent / "target" / "manifest.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def layer(marts: Shop, manifest: dict[str, Any]) -> SemanticLayer:
    with connect(marts.path, read_only=True) as connection:
        return read_semantic_layer(manifest, DuckDBSession(connection))


@pytest.fixture(scope="module")
def views(layer: SemanticLayer) -> dict[str, dict[str, Any]]:
    """The views of the LookML project, parsed from its text."""
    texts = [text for path, text in lookml_files(layer).items() if path.startswith("views/")]
    return {view["name"]: view for text in texts for view in lkml.load(text)["views"]}


@pytest.fixture(scope="module")
def by_day(marts: Shop, layer: SemanticLayer) -> dict[str, dict[dt.date, Decimal]]:
    """Every metric by day, as MetricFlow answers; days on which it is nothing are left out."""
    names = [metric.name for model in layer.models for metric in model.metrics]
    rows = ask_metricflow(marts, names, "metric_time")
    day = {row["metric_time__day"]: dt.date.fromisoformat(row["metric_time__day"][:10]) for row in rows}
    return {
        name: {day[row["metric_time__day"]]: Decimal(row[name]) for row in rows if row[name]}
        for name in names
    }


def answers(rows: list[tuple]) -> dict[dt.date, Decimal]:
    """(day, figure) as a dict, without the days on which it is nothing."""
    return {day: Decimal(str(figure)) for day, figure in rows if figure is not None}


def assert_equal(found: dict[dt.date, Decimal], expected: dict[dt.date, Decimal]) -> None:
    """Whole numbers and money to the last digit; of a ratio, what two ways of dividing leave of 16 digits."""
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=Decimal("1e-12"), abs=Decimal(0))


def with_metrics(layer: SemanticLayer) -> list[SemanticModel]:
    return [model for model in layer.models if model.metrics]


def test_revenue_by_day_is_the_same_everywhere(
    marts: Shop,
    layer: SemanticLayer,
    views: dict[str, dict[str, Any]],
    by_day: dict[str, dict[dt.date, Decimal]],
    tmp_path: Path,
) -> None:
    orders = views["orders"]
    [measure] = [each for each in orders["measures"] if each["name"] == "total_revenue"]
    looker = query(orders, "order_date", field_sql(orders, measure)) + " group by order_date"
    extract = tmp_path / "fct_orders.hyper"
    with connect(marts.path, read_only=True) as connection:
        [mart] = [mart for mart in layer.marts if mart.name == "fct_orders"]
        write_extract(DuckDBSession(connection), mart, extract)
    hyper = 'select "order_date", sum("order_amount") from "Extract"."Extract" group by "order_date"'
    agg = "select order_date, sum(total_revenue) from gold.agg_daily_sales group by order_date"
    assert by_day["total_revenue"] == REVENUE
    assert dict(marts.sql(looker)) == REVENUE
    assert dict(query_extract(extract, hyper)) == REVENUE
    assert dict(marts.sql(agg)) == REVENUE


def test_the_way_from_a_view_to_a_purchase(by_day: dict[str, dict[dt.date, Decimal]]) -> None:
    assert {name: by_day[name] for name in STEPS} == STEPS


def test_every_measure_of_looker_is_the_metric(
    marts: Shop,
    layer: SemanticLayer,
    views: dict[str, dict[str, Any]],
    by_day: dict[str, dict[dt.date, Decimal]],
) -> None:
    compared = set()
    for model in with_metrics(layer):
        view, date = views[model.name], DATES[model.name]
        for measure in view["measures"]:
            sql = query(view, f"cast({date} as date) as day", field_sql(view, measure)) + " group by day"
            assert_equal(answers(marts.sql(sql)), by_day[measure["name"]])
            compared.add(measure["name"])
    assert compared == by_day.keys() >= WANTED


def test_every_expression_of_ossie_is_the_metric(
    marts: Shop, layer: SemanticLayer, by_day: dict[str, dict[dt.date, Decimal]]
) -> None:
    [model] = yaml.safe_load(ossie_files(layer)["ecommerce.ossie.yaml"])["semantic_model"]
    sources = {dataset["name"]: dataset["source"] for dataset in model["datasets"]}
    compared = set()
    for metric in model["metrics"]:
        [each] = metric["expression"]["dialects"]
        [name] = [found.name for found in with_metrics(layer) if f"{found.name}." in each["expression"]]
        sql = (
            f"select cast({DATES[name]} as date) as day, {each['expression']} from {sources[name]} as {name}"
        )
        assert_equal(answers(marts.sql(f"{sql} group by day")), by_day[metric["name"]])
        compared.add(metric["name"])
    assert compared == by_day.keys()
    for link in model["relationships"]:
        [there] = link["to_columns"]
        keys = f"select {there} from {sources[link['to']]}"
        assert marts.sql(f"{keys} group by 1 having count(*) > 1") == []
        marts.sql(f"select {link['from_columns'][0]} from {sources[link['from']]} limit 0")
    assert len(model["relationships"]) == 6


def test_every_calculated_field_of_tableau_is_the_metric(
    marts: Shop, layer: SemanticLayer, by_day: dict[str, dict[dt.date, Decimal]], tmp_path: Path
) -> None:
    compared = set()
    for model in with_metrics(layer):
        extract = tmp_path / f"{model.mart.name}.hyper"
        with connect(marts.path, read_only=True) as connection:
            write_extract(DuckDBSession(connection), model.mart, extract)
        fields = data_source(model.mart, model).getroot().iter("column")
        formulas = {field.attrib["name"]: field.find("calculation") for field in fields}
        calculated = {name: each.attrib["formula"] for name, each in formulas.items() if each is not None}
        for metric in model.metrics:
            sql = (
                f'select cast("{DATES[model.name]}" as date) as day, '
                f'{formula_sql(f"[metric {metric.name}]", calculated)} from "Extract"."Extract" group by day'
            )
            found = answers(query_extract(extract, sql))
            assert_equal(found, by_day[metric.name])
            compared.add(metric.name)
    assert compared == by_day.keys()


def test_every_field_of_looker_exists_in_its_mart(marts: Shop, views: dict[str, dict[str, Any]]) -> None:
    for view in views.values():
        rows = [*view["dimensions"], *view.get("dimension_groups", [])]
        marts.sql(query(view, *(field_sql(view, field) for field in rows)))
        if measures := view.get("measures"):
            marts.sql(query(view, *(field_sql(view, measure) for measure in measures)))
        names = field_names(view)
        assert len(set(names)) == len(names) > 5
        [detail] = view["sets"]
        assert set(detail["fields"]) <= set(names)
    assert len(views) == 6


@pytest.mark.parametrize("dialect", ["snowflake", "bigquery"])
def test_the_sql_of_looker_is_foreign_to_neither_warehouse(
    views: dict[str, dict[str, Any]], dialect: str
) -> None:
    for view in views.values():
        fields = [field for kind in ("dimensions", "measures") for field in view.get(kind, [])]
        assert faults(query(view, *(field_sql(view, field) for field in fields)), dialect) == []


def test_every_metric_has_words_a_grain_and_an_owner(layer: SemanticLayer) -> None:
    exposures = yaml.safe_load((PROJECT / "models" / "exposures.yml").read_text(encoding="utf-8"))
    owners = {exposure["owner"]["name"] for exposure in exposures["exposures"]}
    metrics = [metric for model in layer.models for metric in model.metrics]
    assert len(metrics) == 20
    for metric in metrics:
        assert metric.owner in owners, metric.name
        assert metric.description.endswith(".")
        assert "added up" in metric.grain
    labels = [metric.label for metric in metrics]
    assert len(set(labels)) == len(labels)


def test_the_exposures_are_what_the_files_are_made_of(layer: SemanticLayer) -> None:
    exposures = yaml.safe_load((PROJECT / "models" / "exposures.yml").read_text(encoding="utf-8"))
    named = {
        each["name"]: {ref.removeprefix("ref('").removesuffix("')") for ref in each["depends_on"]}
        for each in exposures["exposures"]
    }
    assert named["looker"] == {model.mart.name for model in layer.models}
    assert named["tableau"] == {mart.name for mart in layer.marts}


def test_a_join_of_looker_finds_the_row_of_each_customer(
    marts: Shop, layer: SemanticLayer, views: dict[str, dict[str, Any]]
) -> None:
    explores = lkml.load(lookml_files(layer)["explores/ecommerce.explore.lkml"])["explores"]
    [orders] = [explore for explore in explores if explore["name"] == "orders"]
    [join] = [each for each in orders["joins"] if each["name"] == "segments"]
    assert (join["type"], join["relationship"]) == ("left_outer", "many_to_one")
    on = join["sql_on"].replace("${", "").replace("}", "")
    sql = query(views["orders"], "segments.rfm_segment", "sum(orders.order_amount)")
    rows = marts.sql(f"{sql} left join gold.customer_segments as segments on {on} group by all")
    assert dict(rows) == {
        "champion": Decimal("160.00"),
        "at_risk": Decimal("53.22"),
        "regular": Decimal("5.35"),
        "hibernating": Decimal("80.00"),
    }


# What fails in CI, and not on a board.


def read(marts: Shop, manifest: dict[str, Any]) -> SemanticLayer:
    with connect(marts.path, read_only=True) as connection:
        return read_semantic_layer(manifest, DuckDBSession(connection))


@pytest.mark.parametrize(
    ("column", "table", "sentence"),
    [
        pytest.param(
            "order_amount",
            "fct_orders",
            "total_revenue reads order_amount, which gold.fct_orders does not have; correct "
            "dbt/models/semantic/orders.yml, or the mart",
            id="what a metric sums",
        ),
        pytest.param("region", "dim_customers", "region reads region", id="what people group by"),
        pytest.param("product_id", "inventory_status", "product_id reads product_id", id="a key"),
    ],
)
def test_a_renamed_column_is_found(
    marts: Shop, manifest: dict[str, Any], tmp_path: Path, column: str, table: str, sentence: str
) -> None:
    other = Shop(tmp_path / "warehouse.duckdb")
    other.path.write_bytes(marts.path.read_bytes())
    with duckdb.connect(other.path) as connection:
        connection.execute(f"alter table gold.{table} rename {column} to renamed")
    with pytest.raises(PermanentFailure) as failure:
        read(other, manifest)
    assert str(failure.value).startswith(sentence)


def test_a_renamed_column_that_no_metric_reads_is_renamed_in_the_files(
    marts: Shop, manifest: dict[str, Any], tmp_path: Path
) -> None:
    other = Shop(tmp_path / "warehouse.duckdb")
    other.path.write_bytes(marts.path.read_bytes())
    with duckdb.connect(other.path) as connection:
        connection.execute("alter table gold.fct_orders rename load_id to renamed")
    [mart] = [mart for mart in read(other, manifest).marts if mart.name == "fct_orders"]
    assert "renamed" in mart.names


def test_without_marts_it_says_what_to_run_first(manifest: dict[str, Any]) -> None:
    with connect() as connection, pytest.raises(PermanentFailure, match="run daily-ecommerce-pipeline first"):
        read_semantic_layer(manifest, DuckDBSession(connection))


Change = Callable[[dict[str, Any]], None]


def metric_of(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    return manifest["metrics"][f"metric.ecommerce.{name}"]


def measure_of(manifest: dict[str, Any], name: str) -> dict[str, Any]:
    models = manifest["semantic_models"].values()
    return next(each for model in models for each in model["measures"] if each["name"] == name)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        pytest.param(
            lambda found: metric_of(found, "avg_order_value").update(type="derived"),
            "avg_order_value is more than a sum, a count or a ratio of two",
            id="another kind of metric",
        ),
        pytest.param(
            lambda found: metric_of(found, "total_revenue").update(filter={"where_filters": ["x"]}),
            "total_revenue is more than",
            id="a filter",
        ),
        pytest.param(
            lambda found: metric_of(found, "total_orders")["type_params"]["measure"].update(
                fill_nulls_with=1
            ),
            "total_orders is more than",
            id="days without rows filled in",
        ),
        pytest.param(
            lambda found: measure_of(found, "total_quantity").update(agg="median"),
            "total_quantity is made by median",
            id="another aggregation",
        ),
        pytest.param(
            lambda found: metric_of(found, "conversion_rate")["type_params"]["denominator"].update(
                name="total_orders"
            ),
            "conversion_rate divides figures of two marts",
            id="a ratio over two marts",
        ),
    ],
)
def test_a_metric_that_the_files_cannot_carry_is_refused(
    marts: Shop, manifest: dict[str, Any], change: Change, sentence: str
) -> None:
    changed = copy.deepcopy(manifest)
    change(changed)
    with pytest.raises(PermanentFailure) as failure:
        read(marts, changed)
    assert sentence in str(failure.value)
    assert str(failure.value).endswith(".yml")


def test_a_project_that_dbt_cannot_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(PermanentFailure, match="dbt cannot read its project: .*No dbt_project.yml found"):
        parse_project(tmp_path)
