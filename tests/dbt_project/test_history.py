"""A day's build reads what the day changed: of all history two narrow columns, of the rest what it needs.

Counted in values (rows times columns), not in seconds.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from tests.dbt_project.test_project import PROJECT, SILVER

DAYS = 8
# A row group of DuckDB, the least that it reads or skips.
A_DAY = 122_880
FIRST = "date '2024-03-01' + (n // {size})::integer"
HISTORY = f"""
insert into silver.customers by name
    select n as customer_id, 'Ada' as customer_name, 'gold' as customer_segment, 'north' as region,
        timestamp '2024-03-01' as updated_at, 1 as load_id from range(1000) as r(n);
insert into silver.products by name
    select n as product_id, 'Mug' as product_name, 'home' as category, 1.5 as unit_cost,
        timestamp '2024-03-01' as updated_at, 1 as load_id from range(10) as r(n);
insert into silver.orders by name
    select n as order_id, n % 1000 as customer_id, n % 10 as product_id, {FIRST.format(size=A_DAY)} as order_date,
        9.5 as amount, 1 as quantity, 'pending' as status, timestamp '2024-03-01' as updated_at, 1 as load_id,
        null as order_number from range({DAYS * A_DAY}) as r(n);
insert into silver.clickstream by name
    select n::varchar as event_id, (n % 1000)::varchar as user_id, (n // 8)::varchar as session_id,
        'page_view' as event_type, {FIRST.format(size=A_DAY)} as event_date, 1 as load_id
    from range({DAYS * A_DAY}) as r(n);
"""
A_CHANGE = """
insert into silver.orders by name
    select n as order_id, 7 as customer_id, 1 as product_id, date '2024-03-08' as order_date, 9.5 as amount,
        1 as quantity, 'pending' as status, timestamp '2024-03-08' as updated_at, 2 as load_id,
        null as order_number from range(5000000, 5000010) as r(n);
insert into silver.clickstream by name
    select n::varchar as event_id, '7' as user_id, 's' as session_id, 'page_view' as event_type,
        date '2024-03-08' as event_date, 2 as load_id from range(5000000, 5000010) as r(n);
"""
# In the order in which they are built: each is measured before it is, and after those before it. Not
# int_customer_orders: a customer's orders lie all over the history.
MODELS = ("int_daily_sessions", "fct_orders", "int_daily_orders", "agg_daily_sales")
FOLDERS = ("--quiet", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Marts of a history, and a day of changes in silver that they do not have yet."""
    folder = tmp_path_factory.mktemp("history")
    path = folder / "warehouse.duckdb"
    change(path, SILVER + HISTORY)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("WAREHOUSE", "duckdb")
        environment.setenv("DUCKDB_PATH", str(path))
        environment.setenv("DBT_TARGET_PATH", str(folder / "target"))
        environment.setenv("DBT_LOG_PATH", str(folder / "logs"))
        dbt("run", "--select", *(f"+{model}" for model in MODELS))
        change(path, A_CHANGE)
        yield path


def change(warehouse: Path, statements: str) -> None:
    with duckdb.connect(warehouse) as connection:
        connection.execute(statements)


def dbt(*arguments: str) -> dict[str, str]:
    """Run dbt; the SQL of each node by its name."""
    outcome = dbtRunner().invoke([*arguments, *FOLDERS])
    # Else the file stays open in this process.
    DuckDBConnectionManager.close_all_connections()
    assert outcome.success, outcome.exception
    return {each.node.name: getattr(each.node, "compiled_code", "") for each in outcome.result}


def values_read(warehouse: Path, query: str) -> int:
    """The values, rows times columns, that a query reads of tables."""
    with duckdb.connect(warehouse, read_only=True) as connection:
        [(_, plan)] = connection.sql(f"explain (analyze, format json) {query}").fetchall()
    return sum(map(_values, json.loads(plan)["operator"]))


def _values(node: dict) -> int:
    columns = node["extra_info"].get("Projections", [])
    # One column is a text, several are a list.
    width = 1 if isinstance(columns, str) else len(columns)
    return node.get("rows_scanned", 0) * width + sum(map(_values, node.get("children", [])))


def test_a_days_build_reads_little_of_the_history(warehouse: Path) -> None:
    whole = dbt("compile", "--full-refresh", "--select", *MODELS)
    daily = dbt("compile", "--select", *MODELS)
    shares = {}
    for model in MODELS:
        shares[model] = values_read(warehouse, daily[model]) / values_read(warehouse, whole[model])
        dbt("run", "--select", model)
    assert all(share < 0.5 for share in shares.values()), shares
