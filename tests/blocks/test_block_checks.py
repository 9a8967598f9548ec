"""`check` of every block, against real servers of this machine: what it reaches, what it says, what it keeps."""

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from psycopg2.extensions import parse_dsn
from pydantic import SecretStr

from blocks import alert_channels
from blocks.alert_channels import AlertChannels, check_answers, mail_server
from blocks.lake_storage import LakeStorage, check_writable
from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.shop_database import ShopDatabase
from blocks.spark_endpoint import SparkEndpoint
from tests.support.failing_checks import SECRET, failure
from tests.support.receivers import Mailbox, Webhook, open_mailbox


@pytest.fixture
def unused_port() -> Iterator[int]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


# The shop's database.


def test_a_shop_that_answers(database: str) -> None:
    ShopDatabase(shop_dsn=SecretStr(database)).check()


def test_a_shop_that_refuses(database: str) -> None:
    wrong = database.replace(f":{parse_dsn(database)['password']}@", f":{SECRET}@")
    failed = failure(ShopDatabase(shop_dsn=SecretStr(wrong)).check)
    assert isinstance(failed, PermanentFailure)
    assert "correct SHOP_DSN" in str(failed)


def test_a_shop_without_an_address() -> None:
    assert "SHOP_DSN is not set" in str(failure(ShopDatabase(shop_dsn=SecretStr("")).check))


# The lake.


def storage(folder: Path, **fields: str) -> LakeStorage:
    given = {
        "clickstream_uri": (folder / "clickstream").as_uri(),
        "lake_uri": (folder / "lake").as_uri(),
        "duckdb_path": str(folder / "warehouse" / "file.duckdb"),
    } | fields
    return LakeStorage(**given)


def test_folders_that_can_be_written_are_left_empty(tmp_path: Path) -> None:
    storage(tmp_path).check()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["lake", "warehouse"]


@pytest.mark.parametrize("variable", ["LAKE_URI", "DUCKDB_PATH"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, variable: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    inside = tmp_path / "file" / "below"
    wrong = {"lake_uri": inside.as_uri()} if variable == "LAKE_URI" else {"duckdb_path": f"{inside}/file"}
    failed = failure(storage(tmp_path, **wrong).check)
    assert isinstance(failed, PermanentFailure)
    assert str(failed).startswith(f"{variable}: cannot write below file://{inside} (")
    assert str(failed).endswith("; correct it or its rights")


@pytest.mark.parametrize(
    ("uri", "named"),
    [
        pytest.param("ftp://host/lake", "ftp://host/lake", id="a file system that Arrow has not"),
        pytest.param("data/lake", "data/lake", id="a relative path"),
        pytest.param(f"s3://key:{SECRET} @bucket/lake", "s3://bucket/lake", id="credentials in no URI"),
        pytest.param(f"gs://key:{SECRET}@bucket/lake", "gs://bucket/lake", id="credentials where none go"),
        pytest.param(f"s3://bucket/lake?secret={SECRET}", "s3://bucket/lake", id="credentials in the query"),
    ],
)
def test_an_address_of_no_lake(uri: str, named: str) -> None:
    failed = failure(check_writable, "LAKE_URI", uri)
    assert isinstance(failed, PermanentFailure)
    assert str(failed).startswith(f"LAKE_URI: cannot write below {named} (")
    assert "\n" not in str(failed)


# Spark.


@pytest.mark.parametrize("remote", ["", "local[2]"])
def test_a_spark_of_the_workers_own_needs_no_server(remote: str) -> None:
    SparkEndpoint(spark_remote=remote).check()


def test_a_spark_server_that_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        SparkEndpoint(spark_remote=f"sc://127.0.0.1:{port}/;token={SECRET}").check()


def test_a_spark_server_that_does_not_listen(unused_port: int) -> None:
    endpoint = SparkEndpoint(spark_remote=f"sc://127.0.0.1:{unused_port}/;token={SECRET}")
    failed = failure(endpoint.check)
    assert isinstance(failed, TransientFailure)
    assert f"no Spark Connect server answers at 127.0.0.1:{unused_port} (" in str(failed)
    assert "start it, or correct SPARK_REMOTE" in str(failed)


@pytest.mark.parametrize("remote", ["sc://", "sc://host:port", "sc://host:99999", "sc://[host"])
def test_an_address_of_no_spark_server(remote: str) -> None:
    failed = failure(SparkEndpoint(spark_remote=remote).check)
    assert isinstance(failed, PermanentFailure)
    assert "write it as sc://host:port" in str(failed)


# Webhooks.


def test_any_answer_will_do(webhook: Webhook) -> None:
    check_answers("SLACK_WEBHOOK_URL", f"{webhook.url}/services/{SECRET}")
    assert webhook.requests == []


def test_no_answer_names_the_host_only(unused_port: int) -> None:
    failed = failure(check_answers, "SLACK_WEBHOOK_URL", f"http://127.0.0.1:{unused_port}/services/{SECRET}")
    assert isinstance(failed, TransientFailure)
    assert str(failed) == "SLACK_WEBHOOK_URL: 127.0.0.1 does not answer (ConnectError); correct it"


@pytest.mark.parametrize(
    "url",
    [
        f"hooks.slack.com/services/{SECRET}",
        f"https:///{SECRET}",
        f"https://host:port/{SECRET}",
        f"https://{'a' * 70}/{SECRET}",
    ],
)
def test_an_address_of_no_webhook(url: str) -> None:
    failed = failure(check_answers, "SLACK_WEBHOOK_URL", url)
    assert isinstance(failed, PermanentFailure)
    assert str(failed) == "SLACK_WEBHOOK_URL is no URL; correct it"


# The mail server.


def enter(smtp_url: str) -> None:
    with mail_server(smtp_url) as server:
        server.noop()


def mail(recipient: str = "you@example.com") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "me@example.com", recipient, "hello"
    return message


def with_login(url: str, login: str) -> str:
    return url.replace("://", f"://{login}@")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for localhost, in one file, signed by nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "localhost.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def offering_tls(certificate: Path) -> Iterator[Mailbox]:
    """A mail server that takes a login after STARTTLS only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with open_mailbox(login=("me", "right/one"), tls=context) as opened:
        opened.url = opened.url.replace("127.0.0.1", "localhost")
        yield opened


def test_a_mail_server_without_a_login(mailbox: Mailbox) -> None:
    with mail_server(mailbox.url) as server:
        server.send_message(mail())
    assert [message["Subject"] for message in mailbox.messages] == ["hello"]


def test_a_login_that_is_accepted() -> None:
    with open_mailbox(login=("me@home", "right/one")) as opened:
        with mail_server(with_login(opened.url, "me%40home:right%2Fone")) as server:
            server.send_message(mail())
    assert (opened.users, len(opened.messages)) == (["me@home"], 1)


def test_a_login_that_is_refused() -> None:
    with open_mailbox(login=("me", "right")) as opened:
        failed = failure(enter, with_login(opened.url, f"me:{SECRET}"))
    assert isinstance(failed, PermanentFailure)
    assert str(failed) == "SMTP_URL: 127.0.0.1 refuses the login (535); correct user and password"


def test_a_login_where_none_is_taken(mailbox: Mailbox) -> None:
    failed = failure(enter, with_login(mailbox.url, f"me:{SECRET}"))
    assert isinstance(failed, PermanentFailure)
    assert "127.0.0.1 does not take mail (SMTPNotSupportedError" in str(failed)


def test_encryption_that_is_offered_is_taken(
    offering_tls: Mailbox, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with mail_server(with_login(offering_tls.url, "me:right%2Fone")) as server:
        assert isinstance(server.sock, ssl.SSLSocket)
        server.send_message(mail())
    assert (offering_tls.users, len(offering_tls.messages)) == (["me"], 1)


def test_a_certificate_that_nobody_vouches_for(offering_tls: Mailbox) -> None:
    failed = failure(enter, with_login(offering_tls.url, f"me:{SECRET}"))
    assert "localhost does not take mail (SSLCertVerificationError" in str(failed)


def test_a_password_never_travels_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alert_channels, "LOOPBACK", ())
    with open_mailbox(login=("me", SECRET)) as opened:
        failed = failure(enter, with_login(opened.url, f"me:{SECRET}"))
    assert isinstance(failed, PermanentFailure)
    assert "127.0.0.1 offers no encryption, the password stays here; use smtps://" in str(failed)
    assert opened.users == []


def test_a_plain_server_behind_an_encrypted_address(mailbox: Mailbox) -> None:
    failed = failure(enter, mailbox.url.replace("smtp:", "smtps:"))
    assert isinstance(failed, TransientFailure)
    assert "127.0.0.1 does not take mail (SSLError" in str(failed)


def test_no_mail_server(unused_port: int) -> None:
    failed = failure(enter, f"smtp://me:{SECRET}@127.0.0.1:{unused_port}")
    assert isinstance(failed, TransientFailure)
    assert "127.0.0.1 does not take mail (ConnectionRefusedError" in str(failed)
    assert "start it, or correct it" in str(failed)


def send(smtp_url: str, recipient: str) -> None:
    with mail_server(smtp_url) as server:
        server.send_message(mail(recipient))


def test_a_recipient_who_is_refused_is_permanent(mailbox: Mailbox) -> None:
    mailbox.refused.add("nobody@example.com")
    failed = failure(send, mailbox.url, "nobody@example.com")
    assert isinstance(failed, PermanentFailure)
    assert "no such mailbox" in str(failed)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="nothing"),
        pytest.param("smtp://", id="no host"),
        pytest.param(f"http://me:{SECRET}@host", id="another scheme"),
        pytest.param(f"smtp://me:{SECRET}@host:port", id="a port that is no number"),
        pytest.param(f"smtp://me:{SECRET}@host:99999", id="a port that cannot be"),
        pytest.param("smtp://me:hunter/2secret@host", id="a slash in the password"),
        pytest.param("smtp://me:hunter#2secret@host", id="a hash in the password"),
        pytest.param("smtp://me:hunter?2secret@host", id="a question mark in the password"),
        pytest.param("smtp://me:hunter[2secret@host", id="a bracket in the password"),
        pytest.param("smtp://me:a@hunter/2secret@host", id="the password where the host is"),
    ],
)
def test_an_address_of_no_mail_server(url: str) -> None:
    failed = failure(enter, url)
    assert isinstance(failed, PermanentFailure)
    assert "SMTP_URL must look like smtp://user:password@host:587 or smtps://…" in str(failed)


@pytest.mark.parametrize(
    "login", [pytest.param("me:hünter2secret", id="password"), pytest.param("mü:hunter2secret", id="user")]
)
def test_a_login_that_cannot_be_sent(login: str) -> None:
    with open_mailbox(login=("me", "right")) as opened:
        failed = failure(enter, with_login(opened.url, login))
    assert isinstance(failed, PermanentFailure)
    assert str(failed) == "SMTP_URL: host, user and password must be ASCII; correct it"


# All channels.


def test_channels_that_are_off_are_not_asked() -> None:
    AlertChannels().check()


def test_channels_that_are_on_are_reached_and_sent_nothing(webhook: Webhook, mailbox: Mailbox) -> None:
    AlertChannels(
        slack_webhook_url=SecretStr(f"{webhook.url}/services/{SECRET}"),
        pagerduty_routing_key=SecretStr(SECRET),
        pagerduty_url=webhook.url,
        smtp_url=SecretStr(mailbox.url),
    ).check()
    assert (webhook.requests, mailbox.messages) == ([], [])


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param({"slack_webhook_url": "http://127.0.0.1:{port}/x"}, "SLACK_WEBHOOK_URL: ", id="Slack"),
        pytest.param(
            {"pagerduty_routing_key": SECRET, "pagerduty_url": "http://127.0.0.1:{port}"},
            "PAGERDUTY_URL: ",
            id="PagerDuty",
        ),
        pytest.param({"smtp_url": "smtp://127.0.0.1:{port}"}, "SMTP_URL: ", id="e-mail"),
    ],
)
def test_each_channel_that_is_on_is_asked(fields: dict[str, Any], message: str, unused_port: int) -> None:
    given = {name: value.replace("{port}", str(unused_port)) for name, value in fields.items()}
    failed = failure(AlertChannels(**given).check)
    assert isinstance(failed, TransientFailure)
    assert str(failed).startswith(message)
