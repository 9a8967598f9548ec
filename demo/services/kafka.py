"""A real Apache Kafka for the laptop: one KRaft node from Maven's jars, on loopback. Needs Java and Maven.

One directory = one broker:

    directory/server.properties  the port, and where the log lies
    directory/log                topics and metadata
    directory/server.log         the broker's output
    directory/lock               held by the caller who starts or stops

The jars (43 MB) are fetched once, into `data/kafka-jars`.
"""

import re
import shutil
import subprocess
from pathlib import Path

import psutil
from filelock import FileLock

from blocks.settings.environment import DATA
from demo.services.process import ServiceUnavailable, end_process, last_lines, locked
from spark_jobs.engine.local_server import accepts, answers_in_time, free_ports

POM = Path(__file__).with_name("kafka.pom.xml")
JARS = DATA / "kafka-jars"
HEAP = "-Xmx512m"
MAVEN = ["mvn", "-q", "-B", "dependency:copy-dependencies"]
FETCH_SECONDS = 300
START_SECONDS = 60
PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
listeners=BROKER://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{port}
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={directory}/log
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
"""


class KafkaUnavailable(ServiceUnavailable):
    """No broker could be started here; the message names the remedy."""


def start(directory: Path) -> str:
    """Start the broker of `directory`, creating it at first use; returns its address, `127.0.0.1:port`.

    Starting a running broker only returns the address, and the port is kept from one start to the next. The
    broker outlives this process: `stop` ends it. Raises KafkaUnavailable.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        fetch_jars()
        if not (directory / "log" / "meta.properties").exists():
            _create(directory)
        if _broker(directory) is None:
            _launch(directory)
        _wait(directory)
    return f"127.0.0.1:{_port(directory)}"


def stop(directory: Path, is_violent: bool = False) -> None:
    """End the broker of `directory` and wait for its end, by SIGKILL if `is_violent`."""
    end_process(_broker(directory.resolve()), is_violent)


def remove(directory: Path) -> None:
    """Stop the broker and delete it with everything in it."""
    stop(directory, is_violent=True)
    shutil.rmtree(directory, ignore_errors=True)


def fetch_jars() -> None:
    """Have Maven lay Kafka's jars into JARS, once. Raises KafkaUnavailable without Java, Maven or network."""
    for program in ("java", "mvn"):
        if not shutil.which(program):
            raise KafkaUnavailable(
                f"no {program} here: install Java 17 and Maven, or set KAFKA_BOOTSTRAP_SERVERS to a broker"
            )
    JARS.parent.mkdir(parents=True, exist_ok=True)
    draft = JARS.with_name(".kafka-jars.draft")
    with FileLock(JARS.with_name(".kafka-jars.lock"), timeout=FETCH_SECONDS):
        if JARS.exists():
            return
        shutil.rmtree(draft, ignore_errors=True)
        _run(JARS.parent, FETCH_SECONDS, *MAVEN, "-f", str(POM), f"-DoutputDirectory={draft}")
        draft.rename(JARS)


def _create(directory: Path) -> None:
    port, controller = free_ports(2)
    text = PROPERTIES.format(port=port, controller=controller, directory=directory)
    (directory / "server.properties").write_text(text, encoding="utf-8")
    shutil.rmtree(directory / "log", ignore_errors=True)
    storage = [*_java(), "kafka.tools.StorageTool"]
    cluster = _run(directory, START_SECONDS, *storage, "random-uuid").strip().splitlines()[-1]
    options = ["-t", cluster, "-c", "server.properties"]
    _run(directory, START_SECONDS, *storage, "format", "--standalone", *options)


def _run(directory: Path, seconds: float, *command: str) -> str:
    done = subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip())[:500]
        raise KafkaUnavailable(f"{' '.join(command[:4])} … failed: {said}")
    return done.stdout


def _launch(directory: Path) -> None:
    with (directory / "server.log").open("ab") as output:
        subprocess.Popen(
            [*_java(), "kafka.Kafka", str(directory / "server.properties")],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _java() -> list[str]:
    return ["java", HEAP, "-cp", f"{JARS}/*"]


def _wait(directory: Path) -> None:
    port, log_file = _port(directory), directory / "server.log"
    if not answers_in_time(lambda: accepts(port), lambda: _broker(directory) is not None, START_SECONDS):
        raise KafkaUnavailable(f"the broker has not started; {log_file} ends in:\n{last_lines(log_file)}")


def _broker(directory: Path) -> psutil.Process | None:
    """The living broker of `directory`: the one Java process that was started with its properties."""
    properties = str(directory / "server.properties")
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if (process.info["cmdline"] or [])[-2:] == ["kafka.Kafka", properties]:
            return process
    return None


def _port(directory: Path) -> int:
    text = (directory / "server.properties").read_text(encoding="utf-8")
    return int(re.search(r"BROKER://127\.0\.0\.1:(\d+)", text)[1])  # type: ignore[index]
