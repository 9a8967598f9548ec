"""Blocks of Prefect's integrations fill settings, ours come before them, and no secret shows.

The integrations are not installed: stand-ins with their type names and fields are saved on a real server, and
read as raw documents, as theirs are.
"""

import base64
import json
import os
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from dbt.config.profile import Profile, read_profile
from dbt.config.renderer import ProfileRenderer
from dbt.flags import set_from_args
from dbt_common.context import set_invocation_context
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.types import SecretDict
from pydantic import SecretBytes, SecretStr

from blocks import bigquery_project
from blocks.settings.environment import REPOSITORY
from blocks.settings.integration_blocks import from_gcp, from_snowflake
from blocks.settings.saved_blocks import read_blocks
from blocks.settings.settings import Settings
from blocks.snowflake_account import SnowflakeAccount
from deployments.resources.blocks import platform_blocks, server_blocks
from deployments.resources.settings import effective_settings
from tasks.warehouse.bigquery import BigQueryWarehouse
from tests.support.platforms import Platform

SECRET = "hunter2secret"
Save = Callable[..., None]


class SnowflakeCredentials(Block):
    """As in prefect-snowflake."""

    _block_type_name = "Snowflake Credentials"
    account: str
    user: str | None = None
    password: SecretStr | None = None
    private_key: SecretBytes | None = None
    private_key_passphrase: SecretStr | None = None
    role: str | None = None
    authenticator: str = "snowflake"


class GcpCredentials(Block):
    """As in prefect-gcp."""

    _block_type_name = "GCP Credentials"
    service_account_file: Path | None = None
    service_account_info: SecretDict | None = None
    project: str | None = None


class SlackWebhook(Block):
    """As in prefect-slack."""

    _block_type_name = "Slack Incoming Webhook"
    url: SecretStr


def private_key(password: bytes | None = None) -> tuple[rsa.RSAPrivateKey, str]:
    """A key, and its PEM, encrypted if there is a password."""
    key = rsa.generate_private_key(65537, 2048)
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return key, key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    ).decode()


def service_account() -> dict[str, str]:
    """What Google's key files hold."""
    return {
        "type": "service_account",
        "project_id": "shop-of-the-key",
        "client_email": "loader@example.iam.gserviceaccount.com",
        "private_key": private_key()[1],
        "token_uri": "https://oauth2.googleapis.com/token",
    }


def settings_of(saved: Block, save: Save) -> Settings:
    save("production", saved)
    settings = Settings()
    shown = f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    assert SECRET not in shown
    assert "PRIVATE KEY" not in shown
    return settings


def test_a_snowflake_block_fills_account_user_password_and_role(platform: Platform, save: Save) -> None:
    settings = settings_of(
        SnowflakeCredentials(account="org-shop", user="loader", password=SecretStr(SECRET), role="load"), save
    )
    assert (settings.snowflake_account, settings.snowflake_user) == ("org-shop", "loader")
    assert settings.snowflake_role == "load"
    assert settings.snowflake_password.get_secret_value() == SECRET
    assert settings.snowflake_private_key.get_secret_value() == ""


@pytest.mark.parametrize(
    ("password", "fields"),
    [
        pytest.param(None, {}, id="a key without a password"),
        pytest.param(SECRET, {"private_key_passphrase": SECRET}, id="with one"),
        pytest.param(SECRET, {"password": SECRET}, id="with one in the old field"),
        pytest.param(None, {"password": SECRET}, id="without one, beside the user's password"),
    ],
)
def test_a_snowflake_key_is_handed_on_as_the_clients_take_it(
    password: str | None, fields: dict[str, str]
) -> None:
    key, pem = private_key(password.encode() if password else None)
    values = from_snowflake({"account": "a", "user": "u", "private_key": f"\n{pem}\n"} | fields)
    assert values["snowflake_password"] is None
    der = base64.b64decode(values["snowflake_private_key"])
    assert (
        serialization.load_der_private_key(der, None).private_numbers()  # type: ignore[union-attr]
        == key.private_numbers()
    )


def test_a_snowflake_key_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key.p8"
    file.write_text(private_key()[1])
    assert from_snowflake({"account": "a", "private_key_path": str(file)})["snowflake_private_key"]
    assert from_snowflake({"account": "a", "private_key_path": "/no/such"})["snowflake_private_key"] is None


def test_a_snowflake_key_that_is_none_is_left_for_the_login_to_refuse() -> None:
    assert from_snowflake({"account": "a", "private_key": "no key"})["snowflake_private_key"] == "no key"


def test_a_snowflake_key_survives_a_saved_block(platform: Platform, save: Save) -> None:
    _, pem = private_key()
    settings = settings_of(
        SnowflakeCredentials(account="org-shop", user="loader", private_key=SecretBytes(pem.encode())), save
    )
    assert base64.b64decode(settings.snowflake_private_key.get_secret_value())


def test_our_block_wins_and_a_login_is_taken_whole(platform: Platform, save: Save) -> None:
    _, pem = private_key()
    save("production", SnowflakeAccount(snowflake_user="ours", snowflake_password=SecretStr(SECRET)))
    settings = settings_of(
        SnowflakeCredentials(
            account="theirs", user="theirs", private_key=SecretBytes(pem.encode()), role="r"
        ),
        save,
    )
    assert (settings.snowflake_user, settings.snowflake_password.get_secret_value()) == ("ours", SECRET)
    assert settings.snowflake_private_key.get_secret_value() == ""
    assert (settings.snowflake_account, settings.snowflake_role) == ("theirs", "r")


def test_a_gcp_block_fills_project_and_key(platform: Platform, save: Save) -> None:
    info = service_account()
    settings = settings_of(GcpCredentials(service_account_info=SecretDict(info), project="shop"), save)
    assert settings.bigquery_project == "shop"
    credentials: Any = bigquery_project._credentials(settings)
    assert credentials.service_account_email == info["client_email"]


@pytest.mark.parametrize(
    ("data", "project", "key"),
    [
        ({"service_account_file": "/keys/shop.json", "project": "shop"}, "shop", "/keys/shop.json"),
        (
            {"service_account_info": {"project_id": "of-the-key"}},
            "of-the-key",
            '{"project_id": "of-the-key"}',
        ),
        ({"service_account_info": '{"project_id": "text"}'}, "text", '{"project_id": "text"}'),
        ({"project": "the machine's own identity"}, "the machine's own identity", None),
    ],
)
def test_a_gcp_block_names_a_file_or_holds_a_key(data: dict[str, Any], project: str, key: str | None) -> None:
    assert from_gcp(data) == {"bigquery_project": project, "google_application_credentials": key}


def dbt_credentials(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The credentials that dbt makes of its profile, where these variables are set."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    set_invocation_context(os.environ)
    set_from_args(Namespace(), None)
    profiles = read_profile(str(REPOSITORY / "dbt"))
    return Profile.from_raw_profiles(profiles, "ecommerce", ProfileRenderer({})).credentials


def test_dbt_is_given_the_key_in_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    info = service_account()
    monkeypatch.setenv("BIGQUERY_PROJECT", "shop")
    monkeypatch.setenv("BIGQUERY_API_ENDPOINT", "")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", json.dumps(info))
    credentials = dbt_credentials(BigQueryWarehouse("gold", Settings()).dbt_variables(), monkeypatch)
    assert credentials.method == "service-account-json"
    assert credentials.keyfile_json == {
        name: info[name] for name in ("type", "client_email", "token_uri", "private_key")
    }


def test_dbt_is_pointed_at_a_key_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGQUERY_PROJECT", "shop")
    monkeypatch.setenv("BIGQUERY_API_ENDPOINT", "")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/keys/shop.json")
    variables = BigQueryWarehouse("gold", Settings()).dbt_variables()
    assert variables["GOOGLE_APPLICATION_CREDENTIALS"] == "/keys/shop.json"
    assert dbt_credentials(variables, monkeypatch).method == "oauth"


def test_a_slack_block_fills_the_webhook(platform: Platform, save: Save) -> None:
    settings = settings_of(SlackWebhook(url=SecretStr(f"https://hooks.example/{SECRET}")), save)
    assert settings.slack_webhook_url.get_secret_value() == f"https://hooks.example/{SECRET}"
    assert settings.active_channels() == {"slack"}


def test_a_bootstrap_copies_nothing_of_theirs_into_our_blocks(
    platform: Platform, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy would hide what is changed in theirs later; the server's own webhooks need the address."""
    monkeypatch.setenv("WAREHOUSE", "snowflake")
    save(
        "production",
        SnowflakeCredentials(account="org-shop", user="loader", password=SecretStr(SECRET)),
        SlackWebhook(url=SecretStr(f"https://hooks.example/{SECRET}")),
    )
    with get_client(sync_client=True) as client:
        saved = read_blocks(client, "production")
    settings, own = effective_settings(saved.values), effective_settings(saved.own)
    snowflake = platform_blocks(settings, own)["snowflake-account"]
    assert isinstance(snowflake, SnowflakeAccount)
    assert (snowflake.snowflake_account, snowflake.snowflake_password.get_secret_value()) == ("", "")
    assert platform_blocks(settings, settings)["snowflake-account"].snowflake_user == "loader"  # type: ignore[attr-defined]
    assert set(server_blocks(settings, "production")) == {"slack-warning", "slack-error", "slack-critical"}
