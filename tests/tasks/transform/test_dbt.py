"""dbt in the staged warehouse: built once per state of its inputs, and failures that name their node."""

import re
import shutil
import time
from collections import Counter
from pathlib import Path

import duckdb
import pytest
from prefect import flow, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import StateType

from blocks.settings.failures import DataFailure, PermanentFailure
from blocks.settings.settings import Settings
from expectations.suite import CRITICAL, WARNING
from tasks.ledger.quality_result import QualityResult
from tasks.transform.dbt import PROJECT, build_marts, validate_marts
from tasks.warehouse.duckdb import DuckDBWarehouse

DS = "2024-01-13"
SILVER = """
create schema silver; create schema ops;
create table ops.deleted_rows (table_name varchar, key varchar, deletes varchar);
create table ops.reorder_policy (
    product_id bigint, lead_time_days decimal(9, 2), pack_size bigint, minimum_order bigint, on_order bigint,
    forecast_model varchar, forecast_per_day decimal(18, 4), forecast_date date, reorder_point bigint,
    order_up_to bigint, load_id bigint
);
create table silver.orders as select
    1::bigint as order_id, 1::bigint as customer_id, 1::bigint as product_id, date '2024-01-13' as order_date,
    10.50::decimal(12, 2) as amount, 1::integer as quantity, 'pending' as status,
    timestamp '2024-01-13 08:00' as updated_at, 1::bigint as load_id, null::varchar as order_number,
    null::timestamp as deleted_at;
create table silver.customers as select
    1::bigint as customer_id, 'Ann' as customer_name, 'VIP' as customer_segment, 'Europe' as region,
    timestamp '2024-01-13 08:00' as updated_at, 1::bigint as load_id, null::timestamp as deleted_at;
create table silver.products as select
    1::bigint as product_id, 'Mug' as product_name, 'Home' as category, 3.50::decimal(12, 2) as unit_cost,
    timestamp '2024-01-13 08:00' as updated_at, 1::bigint as load_id, null::timestamp as deleted_at;
create table silver.clickstream as select
    'e1' as event_id, '1' as user_id, 's1' as session_id, 'page_view' as event_type, '/' as page_url,
    null::varchar as product_id, timestamp '2024-01-13 08:00' as event_at, date '2024-01-13' as event_date,
    8::integer as event_hour, 1::bigint as load_id;
create table silver.inventory as select
    'i1' as event_id, 1::bigint as product_id, 'north' as warehouse_id, -1::bigint as quantity_change,
    4::bigint as on_hand, timestamp '2024-01-13 08:00' as event_at, date '2024-01-13' as event_date,
    timestamp '2024-01-13 08:00' as sent_at, 'inventory' as kafka_topic, 0::integer as kafka_partition,
    0::bigint as kafka_offset, 1::bigint as load_id;
"""


@pytest.fixture
def warehouse(tmp_path: Path, prefect_server: None) -> Path:
    """A warehouse that has silver, and no marts."""
    path = tmp_path / "warehouse.duckdb"
    change(path, SILVER)
    return path


@pytest.fixture(scope="module")
def first_build(
    tmp_path_factory: pytest.TempPathFactory, prefect_server: None
) -> tuple[Path, list[QualityResult]]:
    """A warehouse that has its marts, and the results of their tests; only to be copied."""
    path = tmp_path_factory.mktemp("built") / "warehouse.duckdb"
    change(path, SILVER)
    return path, build(path, DS)


@pytest.fixture
def built(first_build: tuple[Path, list[QualityResult]], tmp_path: Path) -> Path:
    """A copy of the warehouse that has its marts."""
    return Path(shutil.copy(first_build[0], tmp_path))


def change(warehouse: Path, *statements: str) -> None:
    with duckdb.connect(warehouse) as connection:
        for statement in statements:
            connection.execute(statement)


# dbt's models become tasks of the flow that calls it.
@flow
def build(warehouse: Path, ds: str) -> list[QualityResult]:
    return build_marts(DuckDBWarehouse(warehouse, warehouse), ds, Settings()).results


@flow
def validate(warehouse: Path, ds: str) -> list[QualityResult]:
    return validate_marts(DuckDBWarehouse(warehouse, warehouse), ds, Settings())


def test_builds_once_per_state_of_loads_and_day(
    first_build: tuple[Path, list[QualityResult]], built: Path
) -> None:
    _, first = first_build
    assert len(first) > 50
    assert all(each.is_success for each in first)
    assert build(built, DS) == []


def test_of_a_load_that_changed_all_that_comes_from_it_is_built_and_tested(
    first_build: tuple[Path, list[QualityResult]], built: Path
) -> None:
    first = {each.expectation: each.table_name for each in first_build[1]}
    change(built, "update silver.orders set amount = 99, load_id = 2")
    again = {each.expectation for each in build(built, DS)}
    with duckdb.connect(built) as connection:
        assert connection.sql("select total_revenue from gold.agg_daily_sales").fetchall() == [(99,)]
    assert again < first.keys()
    assert {first[name] for name in first.keys() - again} == {
        *("stg_customers", "stg_products", "stg_clickstream", "stg_inventory", "stg_reorder_policy"),
        *("snap_customers", "snap_products"),
        *("int_daily_sessions", "fct_inventory_daily", "time_spine"),
    }
    # Of a view that was not made again, too.
    assert "unique_stg_orders_order_id" in again
    assert "unique_int_orders_enriched_order_id" in again
    assert "assert_sales_equal_orders" in again
    assert "unique_stg_inventory_event_id" in first.keys() - again


def test_of_a_row_that_is_gone_all_that_comes_from_it_is_built(warehouse: Path) -> None:
    change(
        warehouse,
        "insert into silver.products by name select * replace (2 as product_id) from silver.products",
    )
    build(warehouse, DS)
    change(warehouse, "delete from silver.products where product_id = 2")
    again = {each.expectation for each in build(warehouse, DS)}
    with duckdb.connect(warehouse) as connection:
        assert connection.sql("select product_id from gold.dim_products").fetchall() == [(1,)]
    assert "unique_stg_products_product_id" in again
    assert "unique_stg_customers_customer_id" not in again


TWICE = (
    "insert into silver.clickstream by name select * replace ({} as load_id) from silver.clickstream limit 1"
)
ANOTHER = (
    "insert into silver.clickstream by name"
    " select * replace ('e2' as event_id, 2 as load_id) from silver.clickstream limit 1"
)


def test_a_row_that_a_load_brings_twice_fails_the_build(built: Path) -> None:
    change(built, ANOTHER)
    build(built, DS)
    change(built, TWICE.format(3))
    with pytest.raises(DataFailure, match="unique_stg_clickstream_event_id"):
        build(built, DS)


def test_rows_that_have_passed_are_tested_again_by_the_quality_flow(built: Path) -> None:
    assert all(each.is_success for each in validate(built, DS))
    # Behind the pipeline's back: no load has brought it.
    change(built, TWICE.format(1), ANOTHER)
    build(built, DS)
    failed = [each.expectation for each in validate(built, DS) if not each.is_success]
    assert "unique_stg_clickstream_event_id" in failed


def test_views_that_a_failed_build_of_another_project_has_made_are_made_again(
    first_build: tuple[Path, list[QualityResult]], built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the views are no file's they outlive the failed run, and its change is then taken back."""
    monkeypatch.setenv("LEAD_TIME_DAYS", "9")
    change(built, "update silver.orders set status = 'lost'")
    with pytest.raises(DataFailure):
        build(built, DS)
    monkeypatch.delenv("LEAD_TIME_DAYS")
    change(built, "update silver.orders set status = 'pending'")
    change(built, "drop view staging.stg_orders cascade")
    assert len(build(built, "2024-01-14")) == len(first_build[1])


def test_a_failed_build_leaves_what_changed_to_the_next(built: Path) -> None:
    change(
        built,
        "update silver.orders set status = 'lost', load_id = 2",
    )
    for _ in range(2):
        with pytest.raises(DataFailure, match="accepted_values_stg_orders_status"):
            build(built, "2024-01-14")


def test_time_alone_makes_a_source_stale(built: Path) -> None:
    results = build(built, "2024-01-15")
    assert [each.expectation for each in results] == ["recency_fct_orders_day__order_date__1"]
    assert not any(each.is_success for each in results)


def test_another_project_or_variable_builds_everything(
    first_build: tuple[Path, list[QualityResult]], built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEAD_TIME_DAYS", "9")
    assert len(build(built, DS)) == len(first_build[1])


def test_models_and_snapshots_are_tasks_of_the_calling_flow(warehouse: Path) -> None:
    state = build(warehouse, "2024-01-13", return_state=True)
    nodes = {*(path.stem for path in PROJECT.glob("models/**/*.sql")), "snap_customers", "snap_products"}
    of_this_flow = FlowRunFilter(id={"any_": [state.state_details.flow_run_id]})
    with get_client(sync_client=True) as client:
        # The server hears of task runs by events, which come a little later.
        for _ in range(100):
            found = client.read_task_runs(flow_run_filter=of_this_flow)
            completed = [run for run in found if run.state_type == StateType.COMPLETED]
            if len(completed) >= len(nodes):
                break
            time.sleep(0.2)
    assert Counter(run.name.split()[-1].rsplit("-", 1)[0] for run in completed) == Counter(nodes)


def test_a_failed_test_is_a_data_failure_that_names_it_and_is_not_taken_for_built(warehouse: Path) -> None:
    change(warehouse, "update silver.orders set status = 'lost'")
    for _ in range(2):
        with pytest.raises(
            DataFailure, match=r"accepted_values_stg_orders_status.*\(1 rows\).*Nothing was published"
        ):
            build(warehouse, DS)


def test_what_the_bronze_gate_only_warns_of_never_stops_the_build(warehouse: Path) -> None:
    change(
        warehouse,
        "update silver.products set unit_cost = -1",
        "update silver.clickstream set event_type = 'wishlist'",
    )
    results = build(warehouse, DS)
    assert sorted((each.table_name, each.observed) for each in results if not each.is_success) == [
        ("agg_daily_sales", "1 rows"),
        ("dim_products", "1 rows"),
        ("fct_orders", "1 rows"),
        ("stg_clickstream", "1 rows"),
        ("stg_products", "1 rows"),
    ]


def test_a_stale_source_is_a_warning_and_every_warning_says_what_is_at_stake(warehouse: Path) -> None:
    results = build(warehouse, "2024-01-15")
    [stale] = [each for each in results if not each.is_success]
    assert (stale.layer, stale.table_name, stale.severity) == ("dbt", "fct_orders", WARNING)
    assert re.fullmatch(r"fct_orders: recency_\w+: 1 rows: no order for days: .*\?", str(stale))
    assert {each.severity for each in results} == {WARNING, CRITICAL}
    assert [each for each in results if each.severity == WARNING and not each.consequence] == []


def test_a_model_that_cannot_be_built_is_permanent(warehouse: Path) -> None:
    change(warehouse, "alter table silver.orders drop column quantity")
    with pytest.raises(PermanentFailure, match="dbt could not build: stg_orders"):
        build(warehouse, DS)
