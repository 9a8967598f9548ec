"""`.env` as editors of all kinds write it: read if it is UTF-8, else named with the remedy."""

from pathlib import Path

import pytest

from blocks.settings import failures
from blocks.settings.environment import RetrySettings, UnreadableEnvFile
from blocks.settings.settings import EnvironmentSettings

TEXT = "RETRY_DELAY_SECONDS=7\nALERT_EMAIL_TO=Käthe@shop.example\n"


@pytest.fixture
def env_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one `.env` file that is read."""
    file = tmp_path / ".env"
    for settings in (EnvironmentSettings, RetrySettings):
        monkeypatch.setitem(settings.model_config, "env_file", (tmp_path / "demo.env", file))
    for name in ("RETRY_DELAY_SECONDS", "ALERT_EMAIL_TO"):
        monkeypatch.delenv(name, raising=False)
    return file


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_utf_8_is_read_with_and_without_a_byte_order_mark(env_file: Path, encoding: str) -> None:
    env_file.write_text(TEXT, encoding=encoding)
    assert RetrySettings().retry_delay_seconds == 7
    assert EnvironmentSettings().alert_email_to == "Käthe@shop.example"


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_another_encoding_is_refused_by_the_name_of_the_file(env_file: Path, encoding: str) -> None:
    env_file.write_text(TEXT, encoding=encoding)
    with pytest.raises(UnreadableEnvFile) as refused:
        EnvironmentSettings()
    assert str(refused.value) == f"{env_file}: not written in UTF-8; save it anew in that encoding"
    # The modules of the tasks can still be imported, so that a command comes to say so.
    assert failures.retry_delay_seconds() == 300
