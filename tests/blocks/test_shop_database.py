"""What the shop's database refuses, what that means, and that no message holds the password."""

import io
import logging
import socket
import time
import traceback
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from blocks.settings import settings
from blocks.settings.failures import PermanentFailure, PipelineFailure, TransientFailure
from blocks.settings.settings import Settings
from blocks.shop.connection import shop_connection, shop_transaction
from tests.support.platforms import Platform
from tests.support.rows import order, put

SECRET = "hunter2secret"


def failure(monkeypatch: pytest.MonkeyPatch, dsn: str) -> PipelineFailure:
    """How the attempt to connect to `dsn` fails."""
    monkeypatch.setenv("SHOP_DSN", dsn)
    with pytest.raises(PipelineFailure) as raised, shop_connection(Settings()):
        pass
    return raised.value


def replaced(dsn: str, **parts: str) -> str:
    """The DSN with some of its parts changed, in the keyword form."""
    return " ".join(f"{name}='{value}'" for name, value in (parse_dsn(dsn) | parts).items())


@pytest.fixture
def unused_port() -> Iterator[int]:
    with socket.socket() as held:
        # Bound but not listening: nobody else gets it, and connections are refused.
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_connection_works_in_utc_and_ends(platform: Platform) -> None:
    with shop_connection(Settings()) as connection, connection.cursor() as cursor:
        cursor.execute("select current_setting('TimeZone'), current_setting('statement_timeout')")
        assert cursor.fetchone() == ("UTC", "1h")
    assert connection.closed


def shown(name: str) -> str:
    """A setting as a transaction of the shop's connection has it."""
    with shop_connection(Settings()) as connection, connection.cursor() as cursor:
        cursor.execute("select current_setting(%s)", (name,))
        return cursor.fetchone()[0]


def test_the_options_of_the_dsn_stay(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DSN", f"{platform.dsn}?options=-csearch_path%3Dlegacy%20-cwork_mem%3D5MB")
    assert [shown("search_path"), shown("work_mem"), shown("TimeZone")] == ["legacy", "5MB", "UTC"]


def test_the_options_of_the_environment_stay(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=legacy")
    assert [shown("search_path"), shown("TimeZone")] == ["legacy", "UTC"]


@pytest.mark.parametrize(
    ("options", "timeout"),
    [
        ("", "1h"),
        ("-cstatement_timeout%3D4h", "4h"),
        ("--statement-timeout%3D4h", "4h"),
        ("-cwork_mem%3D5MB", "1h"),
        ("-cidle_in_transaction_session_timeout%3D1s", "1h"),
    ],
)
def test_a_statement_may_take_as_long_as_the_dsn_says(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, options: str, timeout: str
) -> None:
    monkeypatch.setenv("SHOP_DSN", f"{platform.dsn}?options={options}")
    assert shown("statement_timeout") == timeout


def test_the_dsns_own_name_and_patience_stay(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown("application_name") == "ecommerce-pipeline"
    monkeypatch.setenv("SHOP_DSN", f"{platform.dsn}?application_name=reports&connect_timeout=44")
    assert shown("application_name") == "reports"
    with shop_connection(Settings()) as connection:
        assert connection.info.dsn_parameters["connect_timeout"] == "44"


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [
        ("timezone", "'Asia/Kolkata'", "UTC"),
        ("datestyle", "German, DMY", "ISO, DMY"),
        ("intervalstyle", "sql_standard", "postgres"),
        ("bytea_output", "escape", "hex"),
        ("extra_float_digits", "-5", "3"),
        ("client_encoding", "LATIN1", "UTF8"),
        ("statement_timeout", "5000", "1h"),
        ("idle_in_transaction_session_timeout", "5000", "0"),
        ("transaction_timeout", "5000", "0"),
        ("default_transaction_isolation", "serializable", "serializable"),
        ("work_mem", "'5MB'", "5MB"),
    ],
)
def test_what_reading_needs_is_ours_and_the_rest_the_databases(
    platform: Platform, name: str, theirs: str, ours: str
) -> None:
    platform.execute(f"alter database {parse_dsn(platform.dsn)['dbname']} set {name} = {theirs}")
    assert shown(name) == ours


def test_a_transaction_is_one_snapshot(platform: Platform) -> None:
    put(platform, "orders", order(1))
    with shop_transaction(Settings()) as connection, connection.cursor() as cursor:
        for _ in range(2):
            cursor.execute("select count(*), current_setting('transaction_read_only') from orders")
            assert cursor.fetchone() == (1, "on")
            put(platform, "orders", order(2))


def test_time_limits_of_the_role_do_not_end_a_transaction_that_waits(platform: Platform) -> None:
    database = parse_dsn(platform.dsn)["dbname"]
    for limit in ("idle_in_transaction_session_timeout", "transaction_timeout", "statement_timeout"):
        platform.execute(f"alter database {database} set {limit} = '400ms'")
    with shop_transaction(Settings()) as connection, connection.cursor() as cursor:
        cursor.execute("select 1")
        time.sleep(0.8)
        cursor.execute("select pg_sleep(0.6)")
    # They are in force for others.
    with pytest.raises(psycopg2.Error):
        platform.execute("select pg_sleep(1)")


@pytest.mark.parametrize("text", ["a\\b", "ends in \\", "\\' or true --", "'", "\\\\", "\n"])
def test_texts_are_quoted_right_whatever_a_backslash_means_there(platform: Platform, text: str) -> None:
    database = parse_dsn(platform.dsn)["dbname"]
    for setting in ("on", "off"):
        platform.execute(f"alter database {database} set standard_conforming_strings = {setting}")
        with shop_transaction(Settings()) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("select {}, %s").format(sql.Literal(text)), (text,))
            assert cursor.fetchone() == (text, text)


def test_the_order_of_day_and_month_stays_the_servers(platform: Platform) -> None:
    """A query of the shop's may be written for it; what comes out is ISO all the same."""
    platform.execute(f"alter database {parse_dsn(platform.dsn)['dbname']} set datestyle = 'German, DMY'")
    with shop_transaction(Settings()) as connection, connection.cursor() as cursor:
        cursor.execute("select '02/01/2024'::date::text")
        assert cursor.fetchone() == ("2024-01-02",)


class Full(io.RawIOBase):
    """A sink that takes nothing."""

    def write(self, piece: Any) -> int:
        raise OSError("no space left")


def test_a_copy_that_was_left_is_not_read_to_its_end(platform: Platform) -> None:
    begun = time.monotonic()
    with shop_connection(Settings()) as connection, connection.cursor() as cursor:
        with pytest.raises(OSError, match="no space left"):
            cursor.copy_expert("copy (select generate_series(1, 200000000)) to stdout", Full())
    assert time.monotonic() - begun < 5


def test_a_wrong_password_is_permanent(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = failure(monkeypatch, replaced(database, password=SECRET))
    assert isinstance(failed, PermanentFailure)
    assert "authentication failed" in str(failed)
    assert "correct SHOP_DSN" in str(failed)


def test_an_unknown_database_is_permanent(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = failure(monkeypatch, replaced(database, dbname="elsewhere"))
    assert isinstance(failed, PermanentFailure)
    assert 'database "elsewhere" does not exist' in str(failed)


def test_nobody_listening_is_transient(monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
    failed = failure(monkeypatch, f"postgresql://shop:{SECRET}@127.0.0.1:{unused_port}/shop")
    assert isinstance(failed, TransientFailure)
    assert f"127.0.0.1:{unused_port}/shop cannot be reached" in str(failed)
    assert "start it" in str(failed)


@pytest.mark.parametrize(
    "dsn",
    [
        pytest.param("no dsn at all", id="words"),
        pytest.param(f"mysql://shop:{SECRET}@127.0.0.1/shop", id="another database's URL"),
        pytest.param(f"postgresql://shop:%{SECRET}@127.0.0.1/shop", id="a broken percent-encoding"),
        pytest.param(f"host=127.0.0.1 password={SECRET} two words", id="unquoted blank"),
        pytest.param(f"postgresql://shop:{SECRET}@127.0.0.1:port/shop", id="a port that is no number"),
        pytest.param(f"postgresql://shop:abc/{SECRET}@127.0.0.1/shop", id="a slash in the password"),
        pytest.param(f"postgresql://shop:{SECRET}/abc@127.0.0.1/shop", id="the password where the port is"),
        pytest.param(f"postgresql://shop:abc@{SECRET}@127.0.0.1/shop", id="an at sign in the password"),
        pytest.param(
            f"postgresql://shop:12/{SECRET}@127.0.0.1/shop", id="digits and a slash in the password"
        ),
    ],
)
def test_a_malformed_dsn_is_permanent(monkeypatch: pytest.MonkeyPatch, dsn: str) -> None:
    failed = failure(monkeypatch, dsn)
    assert isinstance(failed, PermanentFailure)
    assert str(failed).startswith("SHOP_DSN ")
    assert SECRET not in "".join(traceback.format_exception(failed))


def test_no_dsn_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.Settings.model_config, "env_file", None)
    failed = failure(monkeypatch, "")
    assert isinstance(failed, PermanentFailure)
    assert "SHOP_DSN is not set" in str(failed)
    assert "make demo" in str(failed)


@pytest.mark.parametrize(
    "change", [{"password": SECRET}, {"dbname": "elsewhere"}, {"port": "1"}, {"user": "nobody"}]
)
def test_no_message_and_no_log_holds_the_password(
    database: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, change: dict[str, str]
) -> None:
    caplog.set_level(logging.DEBUG)
    real = parse_dsn(database)["password"]
    message = (
        "".join(traceback.format_exception(failure(monkeypatch, replaced(database, **change)))) + caplog.text
    )
    assert change.get("password", real) not in message


def test_a_lost_connection_is_transient(platform: Platform) -> None:
    with pytest.raises(TransientFailure, match="broke off"), shop_connection(Settings()) as connection:
        platform.execute("select pg_terminate_backend(%s)", (connection.info.backend_pid,))
        connection.cursor().execute("select 1")


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        pytest.param(
            psycopg2.OperationalError("server closed the connection unexpectedly"), True, id="closed"
        ),
        pytest.param(psycopg2.InterfaceError("connection already closed"), True, id="used when closed"),
        # What a COPY said, now and then, when its backend was terminated.
        pytest.param(
            psycopg2.DatabaseError("error with status PGRES_COPY_OUT and no message from the libpq"),
            True,
            id="a cut that libpq cannot name",
        ),
        pytest.param(psycopg2.ProgrammingError("no results to fetch"), False, id="our own mistake"),
        pytest.param(psycopg2.errors.DivisionByZero(), False, id="a statement's error"),
        pytest.param(ValueError("something else"), False, id="no error of the database"),
    ],
)
def test_which_errors_inside_are_transient(platform: Platform, error: Exception, transient: bool) -> None:
    with pytest.raises(TransientFailure if transient else type(error)), shop_connection(Settings()):
        raise error


def test_a_missing_grant_is_permanent(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    user = f"reader_{parse_dsn(platform.dsn)['dbname'][-12:]}"
    platform.execute(f"create role {user} login password '{SECRET}'")
    monkeypatch.setenv("SHOP_DSN", replaced(platform.dsn, user=user, password=SECRET))
    refusal = "permission denied for table orders; grant SELECT"
    with pytest.raises(PermanentFailure, match=refusal), shop_connection(Settings()) as connection:
        connection.cursor().execute("select 1 from orders")


def test_the_shop_is_only_read(platform: Platform) -> None:
    put(platform, "orders", order(1))
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction), shop_connection(Settings()) as connection:
        connection.cursor().execute(sql.SQL("delete from orders"))
