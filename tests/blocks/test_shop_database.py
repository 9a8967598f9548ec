"""What the shop's database refuses, what that means, and that no message holds the password."""

import logging
import socket
import traceback
from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import parse_dsn

from blocks.settings import settings
from blocks.settings.failures import PermanentFailure, PipelineFailure, TransientFailure
from blocks.settings.settings import Settings
from blocks.shop_database import shop_connection
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
