"""Prefect's temporary server for flows run by hand, begun while the rest is still being imported.

Where no server is configured, Prefect would start one at the flow's first request, after all imports, and
import the server's code into this process besides. Begun here, both take the time of the longer.
"""

import os
import subprocess
import sys
from functools import partial

from blocks.settings.environment import TEMPORARY_SERVER
from blocks.settings.failures import TransientFailure
from spark_jobs.engine.local_server import LOOPBACK, accepts, answers_in_time, free_port, until_input_closes

VARIABLES = {
    # What Prefect gives to the temporary servers that it starts itself.
    "PREFECT_UI_ENABLED": "0",
    "PREFECT__SERVER_EPHEMERAL": "1",
    "PREFECT__SERVER_FINAL": "1",
    # No register of the types of blocks, which nobody saves there: to make it, or to see whether it is made
    # already, the server imports every integration, a quarter of its work.
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "0",
    "PREFECT_MEMOIZE_BLOCK_AUTO_REGISTRATION": "0",
}
# Its first start on a machine also makes its database.
PATIENCE_SECONDS = 180
APPLICATION = "prefect.server.api.server:create_app"


# Kept, because the server ends when the pipe to it is closed: with this process, whatever ends that.
_begun: list[tuple[subprocess.Popen[bytes], int]] = []


def begin_temporary_server() -> None:
    """Start the server and name it in Prefect's settings, unless one is configured.

    Call `await_temporary_server` before the first flow.
    """
    # Imported only now: of the programs that import this module some do without Prefect.
    from prefect.context import get_settings_context, refresh_global_settings_context

    settings = get_settings_context().settings
    if settings.api.url or not settings.server.ephemeral.enabled:
        return
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", APPLICATION, "--lifespan", "on"]
    command += ["--host", LOOPBACK, "--port", str(port), "--log-level", "error"]
    # Of a session of its own, so that Ctrl-C in a terminal leaves it to the run's last words.
    process = subprocess.Popen(  # noqa: S603 - every word is ours
        until_input_closes(command),
        stdin=subprocess.PIPE,
        env=os.environ | VARIABLES,
        start_new_session=True,
    )
    _begun.append((process, port))
    url = f"http://{LOOPBACK}:{port}/api"
    # It serves no pages that an alert could link.
    os.environ |= {"PREFECT_API_URL": url, "PREFECT_UI_URL": "", TEMPORARY_SERVER: url}
    refresh_global_settings_context()


def await_temporary_server() -> None:
    """Wait until the server that was begun answers. Raises TransientFailure if it does not."""
    for process, port in _begun:
        if not answers_in_time(partial(accepts, port), partial(_lives, process), PATIENCE_SECONDS):
            raise TransientFailure(
                f"Prefect's temporary server did not start within {PATIENCE_SECONDS} s; start one with "
                "`prefect server start` and name it in PREFECT_API_URL"
            )


def _lives(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None
