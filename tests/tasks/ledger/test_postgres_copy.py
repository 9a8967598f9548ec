"""The ledger's copy in a real PostgreSQL: equal to the lake's, whatever was there, and never a run's trouble."""

import datetime as dt
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg2
import pytest

from blocks.settings import environment
from tasks.ledger.postgres_copy import TYPES, copy_ledger_to_postgres
from tasks.ledger.records import append_records
from tasks.ledger.tables import TABLES
from tests.support.ledger_records import counted, delivery, run_record
from tests.support.platforms import Platform, here, lake_here
from tests.support.poolers import open_pooler
from tests.support.recorded_runs import pipeline, works
from tests.support.rows import DAY


@pytest.fixture
def boards(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that reads the mirror, which lies beside the shop's tables here."""
    monkeypatch.setenv("OPS_DSN", platform.dsn)
    return platform.execute


def test_the_mirror_has_the_last_record_of_each_run(boards: Any) -> None:
    append_records(lake_here(), "pipeline_runs", [run_record("a", "running"), run_record("b", "running")])
    append_records(
        lake_here(),
        "pipeline_runs",
        [run_record("a", "failed", error="it's 100% \\ \n wrong", duration_seconds=1.5)],
    )
    append_records(lake_here(), "alert_deliveries", [delivery("a", "slack", is_delivered=False)])
    copy_ledger_to_postgres(*here())
    assert boards(
        "select run_id, flow, ds, status, error, duration_seconds, rows_in from ops.pipeline_runs order by 1"
    ) == [
        ("a", "daily", DAY, "failed", "it's 100% \\ \n wrong", 1.5, None),
        ("b", "daily", DAY, "running", None, None, None),
    ]
    assert boards("select channel, is_delivered from ops.alert_deliveries") == [("slack", False)]
    ((started_at,),) = boards("select started_at from ops.pipeline_runs where run_id = 'a'")
    assert started_at == dt.datetime(2024, 3, 4, 12, tzinfo=dt.UTC)


def test_again_is_the_same_and_a_table_of_old_takes_the_ledgers_columns(boards: Any) -> None:
    boards("create schema ops")
    boards("create table ops.table_runs (run_id text, gone integer)")
    append_records(lake_here(), "table_runs", [counted(5, 1, run_id="a")])
    copy_ledger_to_postgres(*here())
    copy_ledger_to_postgres(*here())
    assert boards("select run_id, table_name, rows_in from ops.table_runs") == [("a", "orders", 5)]


def test_another_platform_leaves_productions_copy_alone(boards: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    append_records(lake_here(), "table_runs", [counted(5, 1, run_id="a")])
    copy_ledger_to_postgres(*here())
    append_records(lake_here(), "table_runs", [counted(6, 1, run_id="b")])
    # Blocks of its own would be needed, and are not what is tested.
    monkeypatch.setattr(environment, "PlatformName", lambda: SimpleNamespace(platform="two-b"))
    copy_ledger_to_postgres(*here())
    assert boards("select run_id from ops.table_runs") == [("a",)]
    assert boards('select run_id from "ops_two-b".table_runs order by 1') == [("a",), ("b",)]


def test_a_pooler_may_stand_before_it(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_records(lake_here(), "table_runs", [counted(5, 1, run_id="a")])
    with open_pooler(platform.dsn, tmp_path, pool_mode="transaction", default_pool_size=1) as dsn:
        monkeypatch.setenv("OPS_DSN", dsn)
        copy_ledger_to_postgres(*here())
    assert platform.execute("select run_id from ops.table_runs") == [("a",)]


def test_an_empty_ledger_makes_empty_tables(boards: Any) -> None:
    copy_ledger_to_postgres(*here())
    for table, schema in TABLES.items():
        assert boards(f"select * from ops.{table}") == []
        columns = boards(
            "select column_name from information_schema.columns "
            f"where table_schema = 'ops' and table_name = '{table}' order by ordinal_position"
        )
        assert [name for (name,) in columns] == schema.names
        assert {field.type for field in schema} <= set(TYPES)


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        pytest.param("postgresql://me:hunter2secret@127.0.0.1:1/x", "Connection refused", id="nobody"),
        pytest.param("postgresql:/me:hunter2secret@127.0.0.1/x", "ProgrammingError", id="no DSN"),
    ],
)
def test_a_database_that_cannot_be_had_is_a_warning_without_the_password(
    platform: Platform,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    dsn: str,
    reason: str,
) -> None:
    monkeypatch.setenv("OPS_DSN", dsn)
    copy_ledger_to_postgres(*here())
    (record,) = caplog.records
    assert reason in record.getMessage()
    assert "secret" not in caplog.text


def test_without_a_database_nothing_happens(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg2, "connect", lambda *_, **__: pytest.fail("connected"))
    copy_ledger_to_postgres(*here())


@pytest.mark.usefixtures("prefect_server")
def test_a_recorded_run_is_in_the_mirror_when_its_message_is_sent(boards: Any) -> None:

    seen: list[Any] = []
    pipeline(
        works, notify=lambda run, *_: seen.extend(boards("select status, rows_in from ops.pipeline_runs"))
    )()
    assert seen == [("completed", 10)]
