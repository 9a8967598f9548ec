"""The sweep for SQL that only the emulators understand, and our loaders' own SQL under it.

What dbt compiles is swept where it is compiled, in tests/flows/test_daily_cloud.py.
"""

from typing import Any

import pytest

from tasks.quality import reconciliation as totals
from tasks.warehouse.cloud import merge_statement
from tasks.warehouse.load import _create_open_quarantine
from tests.support.dialects import faults

CLOUDS = ("snowflake", "bigquery")
CASES = [
    pytest.param("select try_cast(a as int64) from t", ["try_cast"], "bigquery", id="another's function"),
    pytest.param("select safe_divide(a, b) from t", ["safe_divide"], "snowflake", id="BigQuery's function"),
    pytest.param("select median(a) from t", ["median"], "bigquery", id="median"),
    pytest.param("select sum(a) filter (where b) from t", ["FILTER"], "snowflake", id="FILTER"),
    pytest.param("select a::string from t", ["::"], "bigquery", id="a cast by colons"),
    pytest.param("select cast(a as varchar) from t", ["as varchar"], "bigquery", id="a type it has not"),
    pytest.param("select list_max([a, b]) from t", ["list_max"], "snowflake", id="DuckDB's function"),
    pytest.param("select new.a from t as new", ["the name new"], "bigquery", id="a reserved word as a name"),
]
FINE = "select coalesce(a, 'median(x) ::') as b, count(*) as n /* now() */ from t group by 1 -- iff(x)"


@pytest.mark.parametrize(("sql", "expected", "dialect"), CASES)
def test_the_sweep_finds_what_is_foreign(sql: str, expected: list[str], dialect: str) -> None:
    assert faults(sql, dialect) == expected


@pytest.mark.parametrize("dialect", CLOUDS)
def test_the_sweep_finds_what_is_no_sql(dialect: str) -> None:
    assert faults("select a from t where (", dialect)[0].startswith(f"is no {dialect}")
    assert faults(FINE, dialect) == []


class Recorder:
    """Keeps the statements that a session would run."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def execute(self, statement: str) -> None:
        self.statements.append(statement)


@pytest.mark.parametrize("dialect", CLOUDS)
def test_the_loaders_own_sql_is_not_foreign(dialect: str) -> None:
    recorder: Any = Recorder()
    _create_open_quarantine(recorder)
    queries = [query.format(gold="gold") for query in totals.WAREHOUSE.values()]
    merge = merge_statement("silver.orders", "ops.incoming_1", "order_id", ["order_id", "amount"], 3)
    for sql in [*recorder.statements, *queries, merge]:
        assert faults(sql, dialect) == []
