"""What PostgreSQL and poolers say, in their own words, and what a run makes of it."""

import psycopg2
import pytest
from psycopg2 import sql
from pydantic import SecretStr

from blocks.settings.failures import PermanentFailure, PipelineFailure, TransientFailure
from blocks.shop.connection import shop_connection
from blocks.shop.refusals import connection_refusal
from blocks.shop_database import ShopDatabase

FROM = 'connection to server at "127.0.0.1", port 5432 failed: '


def shop(dsn: str) -> ShopDatabase:
    return ShopDatabase(shop_dsn=SecretStr(dsn))


@pytest.mark.parametrize(
    ("said", "failure", "remedy"),
    [
        ("FATAL:  password authentication failed for user", PermanentFailure, "correct SHOP_DSN"),
        ('FATAL:  role "r" is not permitted to log in', PermanentFailure, "correct SHOP_DSN"),
        ('FATAL:  database "d" is not currently accepting connections', PermanentFailure, "correct SHOP_DSN"),
        (
            'FATAL:  permission denied for database "d"\nDETAIL:  User does not have CONNECT privilege.',
            PermanentFailure,
            "correct SHOP_DSN",
        ),
        ("server does not support SSL, but SSL was required", PermanentFailure, "correct SHOP_DSN"),
        ("SSL error: certificate verify failed", PermanentFailure, "correct SHOP_DSN"),
        ('invalid sslmode value: "requir"', PermanentFailure, "correct SHOP_DSN"),
        (
            'invalid integer value "x" for connection option "keepalives"',
            PermanentFailure,
            "correct SHOP_DSN",
        ),
        ('FATAL:  unrecognized configuration parameter "x"', PermanentFailure, "correct SHOP_DSN"),
        ('definition of service "x" not found', PermanentFailure, "correct SHOP_DSN"),
        ("ERROR:  Endpoint ID is not specified. Either please upgrade", PermanentFailure, "correct SHOP_DSN"),
        ("FATAL:  Tenant or user not found", PermanentFailure, "correct SHOP_DSN"),
        ("ERROR:  no such user: reader", PermanentFailure, "correct SHOP_DSN"),
        ("FATAL:  unsupported startup parameter: options", PermanentFailure, "alter role"),
        ("FATAL:  unsupported startup parameter in options: search_path", PermanentFailure, "alter role"),
        ("FATAL:  sorry, too many clients already", TransientFailure, "raise the limit"),
        ('FATAL:  too many connections for role "r"', TransientFailure, "raise the limit"),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            TransientFailure,
            "raise the limit",
        ),
        ("ERROR:  no more connections allowed (max_client_conn)", TransientFailure, "raise the limit"),
        ("FATAL:  the database system is starting up", TransientFailure, "start it"),
        ("FATAL:  the database system is not yet accepting connections", TransientFailure, "start it"),
        ("FATAL:  query_wait_timeout", TransientFailure, "start it"),
        ("Connection refused", TransientFailure, "start it"),
        ("timeout expired", TransientFailure, "start it"),
    ],
)
def test_a_refused_connection(said: str, failure: type[PipelineFailure], remedy: str) -> None:
    refused = connection_refusal("127.0.0.1:5432/shop", f"{FROM}{said}\n")
    assert type(refused) is failure
    assert "127.0.0.1:5432/shop" in str(refused)
    assert said.replace("\n", "; ") in str(refused)
    assert remedy in str(refused)


def test_libpqs_guesses_are_left_out_and_every_host_is_named() -> None:
    said = (
        'connection to server at "a", port 1 failed: Connection refused\n'
        "\tIs the server running on that host and accepting TCP/IP connections?\n"
        'connection to server at "b", port 2 failed: timeout expired\n'
    )
    told = str(connection_refusal("a,b:1,2/shop", said))
    assert "refused; connection to" in told
    assert "timeout expired)" in told
    assert "Is the server running" not in told


@pytest.mark.parametrize(
    ("code", "said", "failure", "told"),
    [
        ("25P03", "terminating connection", PermanentFailure, "idle_in_transaction_session_timeout = 0"),
        ("25P04", "terminating connection", PermanentFailure, "transaction_timeout = 0"),
        ("57P05", "terminating connection", PermanentFailure, "idle_session_timeout = 0"),
        ("40001", "conflict with recovery", TransientFailure, "hot_standby_feedback"),
        ("40P01", "deadlock with recovery", TransientFailure, "hot_standby_feedback"),
        ("57014", "conflict with recovery", TransientFailure, "hot_standby_feedback"),
        ("57014", "canceling statement due to statement timeout", TransientFailure, "statement_timeout%3D4h"),
        ("55P03", "canceling statement due to lock timeout", TransientFailure, "migration"),
        ("53200", "out of memory", TransientFailure, "no resources left"),
        ("53400", "temporary file size exceeds temp_file_limit", PermanentFailure, "raise that limit"),
        ("55000", 'materialized view "orders" has not been populated', PermanentFailure, "own the tables"),
        ("58030", "could not read file", PermanentFailure, "cannot read its own files"),
        ("XX001", "invalid page in block 3 of relation", PermanentFailure, "cannot read its own rows"),
        ("P0001", "the view is closed for maintenance", PermanentFailure, "own the tables"),
        ("42703", 'column "amont" does not exist', PermanentFailure, "SHOP_QUERIES"),
        ("57P01", "terminating connection due to administrator command", TransientFailure, "broke off"),
        ("08006", "connection failure", TransientFailure, "broke off"),
        ("42501", "permission denied for table orders", PermanentFailure, "grant SELECT"),
        ("42501", "permission denied for schema legacy", PermanentFailure, "grant USAGE"),
        ("42501", "permission denied for function f", PermanentFailure, "grant EXECUTE"),
        (
            "42501",
            'query would be affected by row-level security policy for table "orders"',
            PermanentFailure,
            "BYPASSRLS",
        ),
    ],
)
def test_an_error_of_a_statement(
    postgres: str, code: str, said: str, failure: type[PipelineFailure], told: str
) -> None:
    """As the server raises it: by a block that raises that code, since few of these can be had on demand."""
    raising = sql.SQL("do {}").format(
        sql.Literal(f"begin raise exception using errcode = '{code}', message = '{said}'; end")
    )
    with pytest.raises(failure) as raised, shop_connection(shop(postgres)) as connection:
        connection.cursor().execute(raising)
    assert type(raised.value) is failure
    assert said in str(raised.value)
    assert told in str(raised.value)
    assert "127.0.0.1:" in str(raised.value)


@pytest.mark.parametrize("code", ["22P05", "22012", "22007", "23505", "25006"])
def test_an_error_about_a_value_is_for_those_who_know_the_table(postgres: str, code: str) -> None:
    with pytest.raises(psycopg2.Error) as raised, shop_connection(shop(postgres)) as connection:
        connection.cursor().execute(f"do 'begin raise exception using errcode = ''{code}''; end'")
    assert raised.value.pgcode == code


def test_a_missing_table_is_permanent_and_named(postgres: str) -> None:
    refusal = 'relation "nowhere" does not exist'
    with pytest.raises(PermanentFailure, match=refusal), shop_connection(shop(postgres)) as connection:
        connection.cursor().execute("select 1 from nowhere")
