"""A Docker Engine of the tests' own: in a network namespace of its own, so that nothing of the machine's changes.

Its way out is slirp4netns; its loopback is its own, so no port is taken from anybody. This process enters the
namespace too, and so does what it starts. Images stay in `HOME` for the next time, all else ends with the engine.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from blocks.settings.environment import DATA
from tests.deployments.conftest import wait_for

# Some 12 GB; another folder by CONTAINERS_HOME.
HOME = Path(os.environ.get("CONTAINERS_HOME", DATA / "containers"))
NAMESPACE = f"ecommerce-pipeline-{os.getpid()}"
PROGRAMS = ("dockerd", "containerd", "runc", "iptables", "ip", "slirp4netns", "setpriv")
COMPOSE = "github.com/docker/compose/v2@v2.40.3"
COMMAND_SECONDS = 1800
NETWORKS = Path("/run/netns")
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


class EngineUnavailable(RuntimeError):
    """No engine can be started here; the message names the remedy."""


@dataclass(frozen=True)
class Engine:
    """A running engine. `environment` is what its clients need, `docker` the client that can build."""

    environment: dict[str, str]
    docker: str

    def run(self, *command: str, check: bool = True, folder: Path | None = None, **environment: str) -> str:
        """Run a docker command; returns what it printed, and fails with it if that is an error."""
        done = subprocess.run(
            [self.docker, *command],
            cwd=folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert not check or done.returncode == 0, f"docker {' '.join(command)}\n{done.stdout[-6000:]}"
        return done.stdout

    def has_image(self, name: str) -> bool:
        """Whether the engine has it by now."""
        return "Id" in self.run("image", "inspect", name, check=False)


@contextmanager
def open_engine() -> Iterator[Engine]:
    """Start the engine; at the end it is stopped with all of its containers. Raises EngineUnavailable."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing or os.geteuid():
        raise EngineUnavailable(
            f"a Docker Engine needs root, and here is no {', '.join(missing) or 'root'}: apt-get install "
            "--no-install-recommends docker.io containerd runc iptables iproute2 slirp4netns debootstrap"
        )
    HOME.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(FileLock(HOME / "lock", timeout=COMMAND_SECONDS))
        # A socket's path may have a hundred letters.
        folder = Path(
            stack.enter_context(
                tempfile.TemporaryDirectory(prefix="engine-", dir="/tmp", ignore_cleanup_errors=True)
            )
        )
        stack.enter_context(_namespace())
        environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PREFECT_", "DOCKER_"))
            },
            "DOCKER_HOST": f"unix://{folder}/docker.sock",
            "DOCKER_CONFIG": str(HOME / "docker-config"),
            "DOCKER_BUILDKIT": "1",
        }
        engine = Engine(environment, _docker())
        # A reader's `docker` is this one too.
        (folder / "bin").mkdir()
        (folder / "bin" / "docker").symlink_to(engine.docker)
        environment["PATH"] = f"{folder / 'bin'}{os.pathsep}{environment['PATH']}"
        daemon = [
            *("dockerd", "--data-root", str(HOME / "docker"), "--exec-root", str(folder / "exec")),
            *("--pidfile", str(folder / "docker.pid"), "--host", environment["DOCKER_HOST"]),
            *("--storage-driver", "overlay2", "--oom-score-adjust", "0"),
        ]
        stack.enter_context(_process(daemon, HOME / "dockerd.log"))
        wait_for(lambda: "Server Version" in engine.run("info", check=False), 60, "dockerd has not started")
        try:
            _compose(engine)
            yield engine
        finally:
            if left := engine.run("ps", "--quiet").split():
                engine.run("kill", *left, check=False)


@contextmanager
def _namespace() -> Iterator[None]:
    """A network namespace that this process is in, and a way out of it that needs nothing of the machine's."""
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    try:
        out = [
            "slirp4netns",
            "--configure",
            "--mtu=65520",
            "--netns-type=path",
            str(NETWORKS / NAMESPACE),
            "tap0",
        ]
        with Path("/proc/self/ns/net").open() as before, _process(out, HOME / "slirp4netns.log"):
            with (NETWORKS / NAMESPACE).open() as file:
                _enter(file.fileno())
            try:
                subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
                yield
            finally:
                _enter(before.fileno())
    finally:
        subprocess.run(["ip", "netns", "delete", NAMESPACE], check=True)


def _enter(namespace: int) -> None:
    """`os.setns` of Python 3.12, for this thread and what it starts from now on."""
    if LIBC.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def _process(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        # It also ends with this process, should that be killed.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(120)


def _docker() -> str:
    """A docker client that can build with BuildKit: its own, as before version 23, or the plugin buildx."""
    for folder in os.get_exec_path():
        if (docker := Path(folder) / "docker").is_file():
            version = subprocess.run([docker, "--version"], capture_output=True, text=True, check=True).stdout
            buildx = subprocess.run([docker, "buildx", "version"], capture_output=True, check=False)
            if int(version.split()[2].split(".")[0]) < 23 or not buildx.returncode:
                return str(docker)
    raise EngineUnavailable("no docker client here that builds with BuildKit: install Debian's docker.io")


def _compose(engine: Engine) -> None:
    """The plugin docker compose, built by Go where no package brought it."""
    if "Docker Compose version" in engine.run("compose", "version", check=False):
        return
    if not shutil.which("go"):
        raise EngineUnavailable("no docker compose here: install the plugin, or Go, which builds it")
    module, version = COMPOSE.split("@")
    plugins = HOME / "docker-config" / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # `go install` refuses modules that replace others; as a dependency those count no more.
        go = {"cwd": folder, "env": {**os.environ, "GOFLAGS": "-mod=mod"}, "timeout": COMMAND_SECONDS}
        mod = subprocess.run(
            ["go", "mod", "download", "-json", COMPOSE], check=True, capture_output=True, text=True, **go
        )
        text = Path(json.loads(mod.stdout)["GoMod"]).read_text(encoding="utf-8")
        (Path(folder) / "go.mod").write_text(
            text.replace(f"module {module}", "module kit") + f"\nrequire {module} {version}\n"
        )
        subprocess.run(
            ["go", "build", "-o", str(plugins / "docker-compose"), f"{module}/cmd"], check=True, **go
        )
