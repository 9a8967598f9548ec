"""Files that hold a password or a key are their owner's alone, whatever was there before."""

import ast
import stat
from pathlib import Path

import pytest

from blocks.settings.environment import REPOSITORY
from demo import __main__ as demo
from demo.services.process import write_private

ROOMS = ("blocks", "tasks", "flows", "lake", "spark_jobs", "deployments", "demo", "benchmarks")
SECRETS = ("password", "secret", "dsn", "keys.json", "token", "demo.env")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the demo writes what its services can be reached by; these are not started."""
    (tmp_path / "store").mkdir()
    monkeypatch.setattr(demo, "ENVIRONMENT", tmp_path / "demo.env")
    monkeypatch.setattr(demo, "STORE", tmp_path / "store")
    monkeypatch.setattr(demo.postgres, "start", lambda _: "postgresql://shop:hunter2@127.0.0.1:1/shop")
    monkeypatch.setattr(demo.s3, "start", lambda _: {"AWS_SECRET_ACCESS_KEY": "hunter2"})
    return tmp_path / "demo.env"


def test_the_demos_settings(environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_DSN", raising=False)
    # One of an older version, which everybody could read.
    environment.write_text("old")
    environment.chmod(0o644)
    demo.open_database()
    assert mode(environment) == 0o600
    demo.open_store()
    assert mode(environment) == 0o600
    names = [line.split("=")[0] for line in environment.read_text().splitlines()[1:]]
    assert names == ["SHOP_DSN", "AWS_SECRET_ACCESS_KEY", "LAKE_URI"]


def test_the_stores_key_beside_a_database_of_somebody_elses(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DSN", "postgresql://reader@example/shop")
    demo.open_database()
    demo.open_store()
    assert mode(environment) == 0o600


def test_a_private_file_replaces_a_public_one(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    path.chmod(0o666)
    write_private(path, "new")
    assert (path.read_text(), mode(path)) == ("new", 0o600)


def test_no_secret_is_written_in_another_way() -> None:
    """Each `write_text` or `open(…, "w")` of the code, by what its arguments name: none names a secret."""
    suspects = []
    for path in (path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                words = ast.unparse(node).lower()
                writes = node.func.attr in ("write_text", "write_bytes") or (
                    node.func.attr == "open" and any(f"'{how}" in words for how in ("w", "a", "x"))
                )
                if writes and any(secret in words for secret in SECRETS):
                    suspects.append(f"{path.relative_to(REPOSITORY)}: {words}")
    assert suspects == []
