"""The blocks of the warehouses in the cloud: what they reach, what they say, and what they keep to themselves."""

import json
import socket
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud.bigquery.retry import DEFAULT_RETRY

from blocks import bigquery_project, snowflake_account
from blocks.bigquery_project import BigQueryProject
from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.settings import Settings
from blocks.snowflake_account import SnowflakeAccount
from tasks.warehouse.access import check_warehouse
from tests.support.failing_checks import SECRET, failure
from tests.support.platforms import Platform

BLOCKS = {"snowflake": SnowflakeAccount, "bigquery": BigQueryProject}


def block(kind: str, **fields: Any) -> SnowflakeAccount | BigQueryProject:
    """A block filled as a bootstrap fills it, but for the fields given."""
    made = BLOCKS[kind]
    return made(**{name: getattr(Settings(), name) for name in made.model_fields} | fields)


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Nobody listens there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_warehouse_that_answers(platform: Platform, cloud: str) -> None:
    block(cloud).check()
    check_warehouse(Settings())


def test_a_warehouse_that_does_not_answer(
    platform: Platform, cloud: str, silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snowflake_account, "LOGIN_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(bigquery_project, "RETRY", DEFAULT_RETRY.with_timeout(1))
    address: dict[str, Any] = {
        "snowflake": {"snowflake_port": silent_port, "snowflake_password": SECRET},
        "bigquery": {"bigquery_api_endpoint": f"http://127.0.0.1:{silent_port}"},
    }[cloud]
    failed = failure(block(cloud, **address).check)
    assert isinstance(failed, TransientFailure)
    assert "127.0.0.1" in str(failed)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(
            lambda: SnowflakeAccount(snowflake_account="", snowflake_user="u"),
            "set SNOWFLAKE_ACCOUNT, SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY",
            id="Snowflake, nothing set",
        ),
        pytest.param(
            lambda: SnowflakeAccount(
                snowflake_account="a-b", snowflake_user="u", snowflake_private_key="aHVudGVyMnNlY3JldA=="
            ),
            "Failed to load private key",
            id="Snowflake, a key that is none",
        ),
        pytest.param(
            lambda: BigQueryProject(bigquery_project=""),
            "BIGQUERY_PROJECT is not set",
            id="BigQuery, nothing set",
        ),
        pytest.param(
            lambda: BigQueryProject(bigquery_project="p", google_application_credentials="/no/such/file"),
            "the file /no/such/file gives none",
            id="BigQuery, no key file",
        ),
    ],
)
def test_what_is_missing_is_named(made: Callable[[], Any], message: str) -> None:
    failed = failure(made().check)
    assert isinstance(failed, PermanentFailure)
    assert message in str(failed)


@pytest.mark.parametrize("cloud", ["snowflake"], indirect=True)
def test_snowflake_refuses_a_wrong_password(platform: Platform, cloud: str) -> None:
    failed = failure(block(cloud, snowflake_password=SECRET).check)
    assert isinstance(failed, PermanentFailure)
    assert "Incorrect username or password" in str(failed)
    assert "correct SNOWFLAKE_USER, SNOWFLAKE_PASSWORD" in str(failed)


@pytest.mark.parametrize("content", [SECRET, json.dumps({"type": "service_account", "private_key": SECRET})])
def test_a_key_file_that_is_none_is_not_repeated(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key.json"
    file.write_text(content)
    failed = failure(BigQueryProject(bigquery_project="p", google_application_credentials=str(file)).check)
    assert isinstance(failed, PermanentFailure)
    assert "correct GOOGLE_APPLICATION_CREDENTIALS" in str(failed)


class Refusal(BaseHTTPRequestHandler):
    """What Google's token service answers to a key that it does not know."""

    def do_POST(self) -> None:
        body = json.dumps({"error": "invalid_grant", "error_description": SECRET}).encode()
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def token_service() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_google_refuses_the_key(tmp_path: Path, token_service: str) -> None:
    """A key of the right form that Google's token service, here a server of this machine, does not know."""
    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = tmp_path / "key.json"
    file.write_text(
        json.dumps(
            {
                "type": "service_account",
                "client_email": "loader@example.iam.gserviceaccount.com",
                "private_key": key.decode(),
                "token_uri": token_service,
            }
        )
    )
    failed = failure(BigQueryProject(bigquery_project="p", google_application_credentials=str(file)).check)
    assert isinstance(failed, PermanentFailure)
    assert "Google refuses our credentials" in str(failed)
