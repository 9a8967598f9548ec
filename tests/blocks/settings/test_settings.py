"""Settings: where they come from, in which order, and what they refuse."""

import datetime as dt
import json
import os
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from blocks.settings.environment import DATA, REPOSITORY, PlatformName, RetrySettings
from blocks.settings.fields import ROUTES
from blocks.settings.settings import Settings

READ_HERE = (Settings, RetrySettings, PlatformName)
VARIABLES = [name.upper() for settings in READ_HERE for name in settings.model_fields]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """(demo.env, .env) of this test only, and an environment without our variables."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    demo, own = tmp_path / "demo.env", tmp_path / ".env"
    for settings in READ_HERE:
        monkeypatch.setitem(settings.model_config, "env_file", (demo, own))
    return demo, own


@pytest.mark.parametrize("settings", READ_HERE)
def test_the_files_are_the_demos_then_ones_own(settings: type[Settings]) -> None:
    assert settings.model_config["env_file"] == (DATA / "demo.env", REPOSITORY / ".env")


@pytest.mark.parametrize(
    ("demo", "own", "environment", "expected"),
    [
        pytest.param(None, None, None, "UTC", id="nothing: the default"),
        pytest.param("Europe/Berlin", None, None, "Europe/Berlin", id="the demo's"),
        pytest.param("Europe/Berlin", "Asia/Tokyo", None, "Asia/Tokyo", id=".env before the demo's"),
        pytest.param(
            "Europe/Berlin", "Asia/Tokyo", "America/New_York", "America/New_York", id="the environment first"
        ),
        pytest.param("Europe/Berlin", None, "", "Europe/Berlin", id="empty is not set"),
    ],
)
def test_precedence(
    files: tuple[Path, Path],
    monkeypatch: pytest.MonkeyPatch,
    demo: str | None,
    own: str | None,
    environment: str | None,
    expected: str,
) -> None:
    for path, value in zip(files, (demo, own), strict=True):
        if value is not None:
            path.write_text(f"SHOP_TIMEZONE={value}\nSOMETHING_ELSE=1\n")
    if environment is not None:
        monkeypatch.setenv("SHOP_TIMEZONE", environment)
    assert Settings().shop_timezone == ZoneInfo(expected)


def test_the_laptop_default(files: tuple[Path, Path]) -> None:
    settings = Settings()
    assert settings.shop_dsn.get_secret_value() == ""
    assert settings.lake_uri == (DATA / "lake").as_uri()
    assert settings.clickstream_uri == (DATA / "clickstream").as_uri()
    assert settings.duckdb_path == DATA / "warehouse.duckdb"
    assert settings.dbt_target_path == DATA / "dbt_target"
    assert (settings.spark_remote.get_secret_value(), settings.warehouse) == ("", "duckdb")
    assert settings.runbook_url == (REPOSITORY / "docs" / "runbook.md").as_uri()
    assert (settings.extract_overlap, settings.quarantine_threshold) == (dt.timedelta(hours=1), 0.05)
    assert RetrySettings().retry_delay_seconds == 300
    assert PlatformName().platform == "production"


def test_every_channel_is_off_by_default(files: tuple[Path, Path]) -> None:
    settings = Settings()
    secrets = (settings.slack_webhook_url, settings.pagerduty_routing_key, settings.smtp_url)
    assert [each.get_secret_value() for each in secrets] == ["", "", ""]
    assert settings.pagerduty_url == "https://events.pagerduty.com/v2/enqueue"
    assert (settings.alert_email_from, settings.alert_email_to) == ("ecommerce-pipeline@localhost", "")
    assert settings.alert_routes == ROUTES
    assert settings.quality_minimum == 0.95
    assert settings.runbook_url.endswith("/docs/runbook.md")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param("s3://bucket/lake", "s3://bucket/lake", id="a URI stays"),
        pytest.param("file:///srv/lake", "file:///srv/lake", id="a file URI stays"),
        pytest.param("/srv/lake", "file:///srv/lake", id="a path"),
        pytest.param("/srv/my lake", "file:///srv/my%20lake", id="a path with a blank"),
        pytest.param("lake", (Path.cwd() / "lake").as_uri(), id="a relative path"),
    ],
)
@pytest.mark.parametrize("variable", ["LAKE_URI", "CLICKSTREAM_URI"])
def test_plain_paths_become_uris(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, variable: str, given: str, expected: str
) -> None:
    monkeypatch.setenv(variable, given)
    assert getattr(Settings(), variable.lower()) == expected


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SHOP_TIMEZONE", "Berlin"),
        ("WAREHOUSE", "oracle"),
        ("QUARANTINE_THRESHOLD", "1.5"),
        ("QUARANTINE_THRESHOLD", "-0.1"),
        ("EXTRACT_OVERLAP", "an hour"),
        ("QUALITY_MINIMUM", "95"),
    ],
)
def test_a_value_that_cannot_be_is_refused_by_name(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert [error["loc"] for error in refused.value.errors()] == [(variable.lower(),)]


@pytest.mark.parametrize(
    "routes", [{"error": [["pager"]]}, {"panic": [["slack"]]}, {"error": ["slack"]}, {"error": "slack"}]
)
def test_routes_that_lead_nowhere_are_refused(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, routes: dict[str, object]
) -> None:
    monkeypatch.setenv("ALERT_ROUTES", json.dumps(routes))
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert {error["loc"][0] for error in refused.value.errors()} == {"alert_routes"}


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("2.5", 2.5)])
def test_the_retry_delay(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, value: str, seconds: float
) -> None:
    monkeypatch.setenv("RETRY_DELAY_SECONDS", value)
    assert RetrySettings().retry_delay_seconds == seconds


def test_a_negative_retry_delay_is_refused(files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETRY_DELAY_SECONDS", "-1")
    with pytest.raises(ValidationError):
        RetrySettings()


def test_the_overlap_is_a_duration_or_a_clock(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in ("PT90M", "01:30:00"):
        monkeypatch.setenv("EXTRACT_OVERLAP", value)
        assert Settings().extract_overlap == dt.timedelta(minutes=90)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param("", {}, id="nothing is handed on where nothing is said"),
        pytest.param(
            "AWS_ACCESS_KEY_ID=key\nAWS_SECRET_ACCESS_KEY=secret\n",
            {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret"},
            id="a key",
        ),
        pytest.param(
            "AWS_ENDPOINT_URL=https://store\n", {"AWS_ENDPOINT_URL": "https://store"}, id="a store with TLS"
        ),
        pytest.param(
            "AWS_ENDPOINT_URL=http://store\nAWS_REGION=eu\n",
            {"AWS_ENDPOINT_URL": "http://store", "AWS_REGION": "eu", "AWS_ALLOW_HTTP": "true"},
            id="one without must be meant",
        ),
    ],
)
def test_what_env_files_say_of_the_store_is_in_the_environment(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, lines: str, expected: dict[str, str]
) -> None:
    # A copy: what is handed on here must not reach the tests after this one.
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    files[1].write_text(lines)
    Settings()
    assert {name: value for name, value in os.environ.items() if name.startswith("AWS_")} == expected


def test_printing_the_settings_shows_no_password(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DSN", "postgresql://shop:hunter2secret@localhost/shop")
    monkeypatch.setenv("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/hunter2secret")
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY", "hunter2secret")
    monkeypatch.setenv("SMTP_URL", "smtps://me:hunter2secret@mail.example")
    settings = Settings()
    assert (
        "hunter2secret" not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()}"
    )
