"""Saved Prefect blocks: they come before the environment, each platform has its own, and all is read once."""

import os
import socket
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect_aws import AwsClientParameters, AwsCredentials
from pydantic import SecretStr

from blocks.alert_channels import AlertChannels
from blocks.bigquery_project import BigQueryProject
from blocks.lake_storage import LakeStorage
from blocks.settings.environment import PlatformName
from blocks.settings.failures import PermanentFailure, TransientFailure
from blocks.settings.fields import PLACES, SYSTEMS, WarehouseKind
from blocks.settings.saved_blocks import saved_values
from blocks.settings.settings import EnvironmentSettings, Settings
from blocks.shop_database import ShopDatabase
from blocks.spark_endpoint import SparkEndpoint
from blocks.system_block import system_blocks
from tests.support.platforms import Platform
from tests.support.receivers import Webhook

STORAGE = LakeStorage(
    clickstream_uri="s3://theirs/clicks", lake_uri="s3://theirs/lake", duckdb_path="/their/file"
)
Save = Callable[..., None]


def unused_url(held: socket.socket) -> str:
    held.bind(("127.0.0.1", 0))
    return f"http://someone:hunter2secret@127.0.0.1:{held.getsockname()[1]}/api"


def test_every_system_has_a_block_of_its_type_whose_fields_are_settings() -> None:
    for block in system_blocks():
        assert block.get_block_type_slug() == block.block_type
        assert set(block.model_fields) <= set(Settings.model_fields)


def test_every_field_is_declared_once() -> None:
    """But for the places on this machine, which have a default in the environment alone."""
    declared = [
        name for model in (*SYSTEMS, EnvironmentSettings) for name in model.__annotations__ if name.islower()
    ]
    twice = {name for name in declared if declared.count(name) > 1} - {"block_type", "places"}
    assert twice == {"clickstream_uri", "lake_uri", "duckdb_path", "runbook_url"}
    assert {name for block in system_blocks() for name in block.__annotations__ if name.islower()} == set()


def test_every_kind_of_warehouse_has_its_places() -> None:
    assert set(PLACES) == set(get_args(WarehouseKind))
    assert {name for fields in PLACES.values() for name in fields} <= set(Settings.model_fields)


def test_without_an_api_there_is_nothing_saved(platform: Platform) -> None:
    assert saved_values("production", None) == {}
    assert saved_values("production", "") == {}
    with temporary_settings({PREFECT_API_URL: None}):
        assert Settings().lake_uri == platform.lake.root


@pytest.mark.usefixtures("prefect_server")
def test_without_blocks_the_environment_speaks(platform: Platform) -> None:
    assert saved_values("production", PREFECT_API_URL.value()) == {}
    assert Settings().shop_dsn.get_secret_value() == platform.dsn


def test_blocks_come_before_the_environment(
    platform: Platform, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "local[2]")
    save(
        "production",
        ShopDatabase(shop_dsn=SecretStr("postgresql://theirs"), shop_timezone="Asia/Tokyo"),
        STORAGE,
        SparkEndpoint(spark_remote="sc://theirs:15002"),
        AlertChannels(
            slack_webhook_url=SecretStr("https://theirs/slack"),
            alert_routes={"info": [["email"]], "warning": [], "error": [], "critical": []},
        ),
    )
    settings = Settings()
    assert settings.shop_dsn.get_secret_value() == "postgresql://theirs"
    assert settings.shop_timezone == ZoneInfo("Asia/Tokyo")
    assert (settings.clickstream_uri, settings.lake_uri) == ("s3://theirs/clicks", "s3://theirs/lake")
    assert settings.duckdb_path == Path("/their/file")
    assert settings.spark_remote.get_secret_value() == "sc://theirs:15002"
    assert settings.slack_webhook_url.get_secret_value() == "https://theirs/slack"
    assert settings.alert_routes["info"] == [["email"]]
    assert EnvironmentSettings().lake_uri == platform.lake.root
    assert "theirs/slack" not in f"{settings!r}"


def test_an_aws_block_fills_the_store_and_is_handed_on(
    platform: Platform, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the environment is afterwards what it was.
    for name in ("AWS_ENDPOINT_URL", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_ALLOW_HTTP"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    save(
        "production",
        AwsCredentials(
            aws_access_key_id="theirs",
            aws_secret_access_key=SecretStr("hunter2secret"),
            region_name="eu-central-1",
            aws_client_parameters=AwsClientParameters(endpoint_url="http://store:9000"),
        ),
    )
    settings = Settings()
    assert (settings.aws_access_key_id, settings.aws_region) == ("theirs", "eu-central-1")
    assert settings.aws_endpoint_url == "http://store:9000"
    assert settings.aws_secret_access_key.get_secret_value() == "hunter2secret"
    assert "hunter2secret" not in f"{settings!r}"
    expected = {
        "AWS_ACCESS_KEY_ID": "theirs",
        "AWS_SECRET_ACCESS_KEY": "hunter2secret",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://store:9000",
        "AWS_ALLOW_HTTP": "true",
    }
    assert {name: os.environ[name] for name in expected} == expected


def test_an_empty_field_of_a_block_says_nothing(
    platform: Platform, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPARK_REMOTE", "sc://mine:15002")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://mine/slack")
    save("production", SparkEndpoint(), AlertChannels(alert_email_to="theirs@example.com"))
    settings = Settings()
    assert settings.spark_remote.get_secret_value() == "sc://mine:15002"
    assert settings.slack_webhook_url.get_secret_value() == "https://mine/slack"
    assert settings.alert_email_to == "theirs@example.com"


def test_each_platform_has_blocks_of_its_own(
    platform: Platform, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    save("staging", STORAGE)
    assert Settings().lake_uri == platform.lake.root
    monkeypatch.setenv("PLATFORM", "staging")
    assert Settings().lake_uri == "s3://theirs/lake"


def test_another_platform_never_writes_where_production_does(
    platform: Platform, save: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLATFORM", "staging")
    refusal = r"PLATFORM is 'staging', but no block of that name says where it writes \(LAKE_URI\); save one"
    with pytest.raises(PermanentFailure, match=refusal):
        Settings()
    save("staging", SparkEndpoint(spark_remote="local[2]"))
    with pytest.raises(PermanentFailure, match=refusal):
        Settings()


@pytest.mark.parametrize(
    ("productions", "staging", "refused"),
    [
        pytest.param(
            [STORAGE], [STORAGE.model_copy(update={"duckdb_path": "/own"})], "its LAKE_URI is", id="lake"
        ),
        pytest.param(
            [STORAGE], [STORAGE.model_copy(update={"lake_uri": "s3://own"})], "its DUCKDB_PATH is", id="file"
        ),
        pytest.param(
            [STORAGE],
            [STORAGE.model_copy(update={"lake_uri": "s3://own", "warehouse": "bigquery"})],
            r"says where it writes \(BIGQUERY_PROJECT\)",
            id="a warehouse of nobody",
        ),
        pytest.param(
            [STORAGE, BigQueryProject(bigquery_project="shop")],
            [
                STORAGE.model_copy(update={"lake_uri": "s3://own", "warehouse": "bigquery"}),
                BigQueryProject(bigquery_project="shop"),
            ],
            "its BIGQUERY_PROJECT is production's",
            id="project",
        ),
        pytest.param(
            [STORAGE],
            [STORAGE.model_copy(update={"lake_uri": "s3://own", "duckdb_path": "/own"})],
            None,
            id="all its own",
        ),
    ],
)
def test_another_platforms_places_are_its_own(
    platform: Platform,
    save: Save,
    monkeypatch: pytest.MonkeyPatch,
    productions: list[Block],
    staging: list[Block],
    refused: str | None,
) -> None:
    save("production", *productions)
    save("staging", *staging)
    monkeypatch.setenv("PLATFORM", "staging")
    with pytest.raises(PermanentFailure, match=refused) if refused else nullcontext():
        assert Settings().lake_uri == "s3://own"


def test_another_platform_needs_an_api(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM", "staging")
    refusal = "no block of that name says where it writes"
    with temporary_settings({PREFECT_API_URL: None}), pytest.raises(PermanentFailure, match=refusal):
        Settings()


@pytest.mark.parametrize("name", ["Staging", "two words", "a/b", "über"])
def test_a_platform_bears_a_name_that_blocks_can_bear(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLATFORM", name)
    with pytest.raises(ValueError, match="platform"):
        PlatformName()


def test_blocks_are_read_once_per_process(platform: Platform, save: Save) -> None:
    save("staging", STORAGE)
    first = saved_values("staging", PREFECT_API_URL.value())
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name("staging", "lake-storage")
        STORAGE.model_copy(update={"lake_uri": "s3://moved/lake"}).save("staging", overwrite=True)
        assert saved_values("staging", PREFECT_API_URL.value()) is first
        saved_values.cache_clear()
        assert saved_values("staging", PREFECT_API_URL.value())["lake_uri"] == "s3://moved/lake"
        assert client.read_block_document_by_name("staging", "lake-storage").id == document.id


def test_an_api_that_does_not_answer_is_transient_and_named(platform: Platform) -> None:
    with socket.socket() as held:
        url = unused_url(held)
        with temporary_settings({PREFECT_API_URL: url}), pytest.raises(TransientFailure) as raised:
            Settings()
    assert str(raised.value) == (
        f"Prefect's API at {url.replace('someone:hunter2secret@', '')} does not answer (ConnectError), so its "
        "blocks cannot be read; start it, or unset PREFECT_API_URL"
    )


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(401, PermanentFailure, id="who asks"),
        pytest.param(403, PermanentFailure, id="not you"),
        pytest.param(500, TransientFailure, id="broken"),
    ],
)
def test_an_api_that_refuses(webhook: Webhook, status: int, expected: type[Exception]) -> None:
    webhook.answers.append(status)
    with temporary_settings({PREFECT_API_URL: webhook.url}), pytest.raises(expected) as raised:
        saved_values("production", webhook.url)
    assert str(raised.value) == (
        f"Prefect's API at {webhook.url} answers {status}, so its blocks cannot be read; "
        "correct PREFECT_API_URL or what it is to log in with"
    )


def test_a_failure_is_not_remembered(platform: Platform, prefect_server: None) -> None:
    with socket.socket() as held:
        with temporary_settings({PREFECT_API_URL: unused_url(held)}), pytest.raises(TransientFailure):
            Settings()
    assert Settings().lake_uri == platform.lake.root
