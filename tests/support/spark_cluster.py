"""A standalone Apache Spark of pyspark's own jars: a master and two workers, each a process of its own."""

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from spark_jobs.engine.local_server import LOOPBACK, accepts, answers_in_time, free_ports, until_input_closes
from spark_jobs.engine.session import spark_session
from tests.support.few_rows import JAVA_OPTIONS
from tests.support.submitting import FILES, SPARK_HOME

START_SECONDS = 600
WORKERS = ("worker-1", "worker-2")
# Each worker has two cores, of which an application takes one: it needs both workers, and two can run at once.
WORKER = ["--cores", "2", "--memory", "2g", "--work-dir", "work"]
CONF = {
    "spark.cores.max": "2",
    "spark.executor.cores": "1",
    "spark.executor.memory": "640m",
    "spark.driver.memory": "1g",
    # Executors call the driver at the name of its machine otherwise.
    "spark.driver.host": LOOPBACK,
    # A busy machine is no dead one.
    "spark.network.timeout": f"{START_SECONDS}s",
    # As in local_spark.py: a log of a few files.
    "spark.databricks.delta.snapshotPartitions": "2",
    # Each executor has a machine of its own, as it were: a cache for several would be a copy more of the jars.
    "spark.files.useFetchCache": "false",
}
OF_DAEMONS = {
    "SPARK_DAEMON_MEMORY": "256m",
    # The port for submissions over HTTP would be the same for all masters.
    "SPARK_DAEMON_JAVA_OPTS": f"-Dspark.network.timeout={START_SECONDS}s -Dspark.master.rest.enabled=false",
}


@dataclass(frozen=True)
class ConnectServer:
    """A Spark Connect server: an application of the cluster that runs until it is stopped."""

    url: str
    api: str
    """The address of Spark's REST API for it."""

    def tasks_by_worker(self) -> Counter[str]:
        """How many tasks its executors have completed, by the address of the page of the worker they run on."""
        [application] = _json(f"{self.api}/applications")
        tasks: Counter[str] = Counter()
        for executor in _json(f"{self.api}/applications/{application['id']}/executors"):
            if executor["id"] != "driver":
                # Its log is read from the worker that started it.
                worker, _, _ = executor["executorLogs"]["stdout"].partition("/logPage")
                tasks[worker] += executor["completedTasks"]
        return tasks


@dataclass(frozen=True)
class SparkCluster:
    """A running cluster, all of it on loopback."""

    master: str
    pages: dict[str, str]
    """The address of the page of the master and of each worker, by their names."""
    folder: Path

    def submit(self, conf: dict[str, str] | None = None) -> list[str]:
        """The words with which a submission to the cluster begins, as docs/spark.md has them."""
        command = [str(SPARK_HOME / "bin" / "spark-submit"), "--master", self.master]
        command += [
            "--properties-file",
            str(FILES / "standalone.conf"),
            "--driver-java-options",
            JAVA_OPTIONS,
        ]
        pairs = (CONF | (conf or {})).items()
        return command + [word for name, value in pairs for word in ("--conf", f"{name}={value}")]

    @contextmanager
    def connect_server(self) -> Iterator[ConnectServer]:
        """A Spark Connect server, started as docs/spark.md has it."""
        port, page = free_ports(2)
        conf = {
            "spark.connect.grpc.binding.address": LOOPBACK,
            "spark.connect.grpc.binding.port": str(port),
            "spark.ui.port": str(page),
        }
        command = self.submit(conf)
        command += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
        with _process(command, self.folder / "connect", os.environ) as lives:
            _wait(lambda: accepts(port), lives, self.folder / "connect")
            server = ConnectServer(f"sc://localhost:{port}", f"http://{LOOPBACK}:{page}/api/v1")
            try:
                yield server
            finally:
                # Left open, it would ask for the server for minutes, when this process ends.
                spark_session(server.url).stop()

    def state(self, name: str) -> dict[str, Any]:
        """What the page of the master, or of a worker, says, as JSON."""
        return _json(f"{self.pages[name]}/json/")


@contextmanager
def spark_cluster() -> Iterator[SparkCluster]:
    """A master and two workers that have registered with it. They know nothing of any store."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    environment |= OF_DAEMONS
    port, *pages = free_ports(2 + len(WORKERS))
    names = ("master", *WORKERS)
    # Not below pytest's folders, which are kept: each executor has a copy of the jars, 0.7 GB, in its worker's.
    with tempfile.TemporaryDirectory(prefix="spark-cluster-") as folder, ExitStack() as stack:
        cluster = SparkCluster(
            master=f"spark://{LOOPBACK}:{port}",
            pages={name: f"http://{LOOPBACK}:{page}" for name, page in zip(names, pages, strict=True)},
            folder=Path(folder),
        )
        programs = {
            "master": ["master.Master", "--port", str(port)],
            **{name: ["worker.Worker", *WORKER, cluster.master] for name in WORKERS},
        }
        for (name, (program, *arguments)), page in zip(programs.items(), pages, strict=True):
            command = [str(SPARK_HOME / "bin" / "spark-class"), f"org.apache.spark.deploy.{program}"]
            command += ["--host", LOOPBACK, "--webui-port", str(page), *arguments]
            lives = stack.enter_context(_process(command, cluster.folder / name, environment))
        _wait(
            lambda: cluster.state("master")["aliveworkers"] == len(WORKERS),
            lives,
            cluster.folder / WORKERS[-1],
        )
        yield cluster


@contextmanager
def _process(
    command: Sequence[str], folder: Path, environment: os._Environ[str] | dict[str, str]
) -> Iterator[Callable[[], bool]]:
    """A server in a new folder, with its output in `log`, until the block ends; gives whether it lives."""
    folder.mkdir()
    own = {
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_DIRS": str(folder),
        "SPARK_LOCAL_IP": LOOPBACK,
        "JDK_JAVA_OPTIONS": JAVA_OPTIONS,
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            until_input_closes(command),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={name: text for name, text in environment.items() if name != "SPARK_REMOTE"} | own,
        )
    try:
        yield lambda: server.poll() is None
    finally:
        server.communicate()


def _wait(answers: Callable[[], bool], lives: Callable[[], bool], folder: Path) -> None:
    def asked() -> bool:
        try:
            return answers()
        except httpx.HTTPError as error:
            raise OSError from error

    assert answers_in_time(asked, lives, START_SECONDS), (folder / "log").read_text()


def _json(url: str) -> Any:
    return httpx.get(url, timeout=60).raise_for_status().json()
